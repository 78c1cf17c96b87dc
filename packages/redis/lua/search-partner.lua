#!lua
-- Pairs a user with one of the longest-waiting few, or puts the user into the queue; for a skip, first ends a session.
-- Atomic, because a user who is read as waiting must still be waiting when the pair is written, and both sides, the
-- queue, the outbox and the notice to the partner's node must change together. Idempotent by request id.
-- KEYS and ARGV[1], [2]: see registry.lua; KEYS[6] is of the node that asks
-- ARGV[3] userId  [4] nodeId  [5] requestId  [6] the revision that the node knows, 0 if it has none
-- ARGV[7] id of the session that begins if a partner is found   [8] hash of the token that resumes the user, or -
-- ARGV[9] a random integer, at least 0   for a skip only: [10] id of the session to end first  [11] its number of messages, or ''
-- Replies: an array of changes as JSON, the user's own first, then of every other user who was touched
--          the errors of registry.lua
-- The user lives elsewhere: gone or away. The node knows a revision and there is no entry: idle at revision 0. The request id is
-- not greater than the last one: the user's present state. Nothing is written in any of these cases.

if late then return late end
local user = read(ARGV[3])
if user and user.node ~= ARGV[4] then return { elsewhere(user) } end
if not user and ARGV[6] ~= '0' then return { change({ userId = ARGV[3], revision = 0, state = 'i' }) } end
if user and tonumber(ARGV[5]) <= tonumber(user.requestId) then return { change(user, partnerOf(user)) } end
local lost = leaseLost(ARGV[4])
if lost then return lost end

if not user then
  user = { userId = ARGV[3], state = 'i', node = ARGV[4], revision = 0, other = '-', token = ARGV[8], previousToken = '-' }
  redis.call('SADD', membersKey, user.userId)
end
user.requestId = ARGV[5]
if user.state == 'p' and user.sessionId == ARGV[10] then endSession(user, 'skip', ARGV[11]) end
if user.state == 'p' then
  write(user)
  return { change(user, partnerOf(user)), unpack(touched) }
end

-- Users of lapsed nodes keep their place, for their nodes may come back; 64 rounds pass over far more than there are.
local allowed, drawnFrom, parted = {}, 8, nil
for round = 0, 63 do
  local tens = round > 0 and round or ''
  local oldest = redis.call('ZRANGE', queueKey, tens .. '0', tens .. '9')
  for _, userId in ipairs(oldest) do
    local other = userId ~= user.userId and read(userId)
    if other and lapsesAt(other.node) > nowMs then
      if other.other == user.userId or user.other == userId then
        parted = parted or other
      elseif #allowed < drawnFrom then
        allowed[#allowed + 1] = other
      end
    end
  end
  if #allowed > 0 or #oldest < 10 then break end
end

local partner = allowed[ARGV[9] % math.max(#allowed, 1) + 1] or parted
if partner then
  redis.call('ZREM', queueKey, partner.userId, user.userId)
  local startedAt = string.format('%d', nowMs)
  partner.other, partner.sessionId, partner.since, partner.side = user.userId, ARGV[7], startedAt, 'a'
  user.other, user.sessionId, user.since, user.side = partner.userId, ARGV[7], startedAt, 'b'
  writeBoth(partner, user, 'p')
  record('started ' .. ARGV[7] .. ' ' .. partner.userId .. ' ' .. user.userId .. ' ' .. startedAt)
  notify(partner, user)
elseif user.state == 'w' then
  write(user)
else
  user.since, user.sessionId, user.side = string.format('%d%06d', time[1], time[2]), '-', '-'
  redis.call('ZADD', queueKey, user.since, user.userId)
  write(user, 'w')
end
return { change(user, partner), unpack(touched) }
