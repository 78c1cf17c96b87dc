-- Pairs a user with one of the longest-waiting few, or puts the user into the queue; for a skip, first ends a session.
-- Atomic, because a user who is read as waiting must still be waiting when the pair is written, and both sides, the
-- queue, the outbox and the notice to the partner's node must change together. Idempotent by request id.
-- KEYS and ARGV[1]: see registry.lua; KEYS[5] is of the node that asks
-- ARGV[2] userId  [3] nodeId  [4] requestId
-- ARGV[5] id of the session that begins if a partner is found
-- ARGV[6] id of the session to end first, for a skip, or ''   [7] its number of messages
-- ARGV[8] a random integer, at least 0   [9] how many of the longest-waiting a partner is drawn from
-- Replies: an array of changes as JSON, the user's own first, then of every other user who was touched
--          the error LEASE_LOST if the node holds no valid lease; nothing is written then
-- The request id is not greater than the last one: the user's present state, and nothing is written.

local user = read(ARGV[2]) or { userId = ARGV[2], state = 'i', node = ARGV[3], requestId = 0, revision = 0, other = '-' }
local isNew = user.revision == 0
local requestId, drawnFrom = tonumber(ARGV[4]), tonumber(ARGV[9])

local function reply()
  local partner = user.state == 'p' and read(user.other)
  table.insert(touched, 1, change(user, partner and partner.node))
  return touched
end

if requestId <= user.requestId then return reply() end
if not leaseIsValid(ARGV[3]) then return redis.error_reply('LEASE_LOST the node holds no valid lease') end
user.requestId = requestId
if isNew then redis.call('SADD', membersKey, user.userId) end
if user.state == 'p' and user.sessionId == ARGV[6] then endSession(user, 'skip', ARGV[7]) end
if user.state == 'p' then
  write(user)
  return reply()
end

-- A user of a lapsed node leaves the queue here and the registry in the reaper. Each round looks at the longest-waiting;
-- 64 rounds are far more than the lapsed users of a queue that is as short as this script keeps it.
local allowed, parted = {}, nil
for _ = 1, 64 do
  local oldest = redis.call('ZRANGE', queueKey, 0, drawnFrom + 1)
  local lapsed = 0
  for _, userId in ipairs(oldest) do
    local other = userId ~= user.userId and read(userId)
    if other and not leaseIsValid(other.node) then
      redis.call('ZREM', queueKey, userId)
      lapsed = lapsed + 1
    elseif other and (other.other == user.userId or user.other == userId) then
      parted = parted or other
    elseif other and #allowed < drawnFrom then
      allowed[#allowed + 1] = other
    end
  end
  if #allowed > 0 or lapsed == 0 then break end
end

local partner = allowed[tonumber(ARGV[8]) % math.max(#allowed, 1) + 1] or parted
if partner then
  redis.call('ZREM', queueKey, partner.userId, user.userId)
  partner.other, partner.sessionId, partner.startedAt, partner.side = user.userId, ARGV[5], nowMs, 'a'
  user.other, user.sessionId, user.startedAt, user.side = partner.userId, ARGV[5], nowMs, 'b'
  write(partner, 'p')
  write(user, 'p')
  redis.call('XADD', outboxKey, '*', 'kind', 'started', 'sessionId', ARGV[5], 'userA', partner.userId, 'userB', user.userId,
    'startedAt', nowMs)
  notify(partner, user.node)
elseif user.state == 'w' then
  write(user)
else
  redis.call('ZADD', queueKey, string.format('%d%06d', time[1], time[2]), user.userId)
  write(user, 'w')
end
return reply()
