#!lua
-- Pairs users, one after the other, each with one of the longest-waiting few, or puts them into the queue; for a skip, first
-- ends a session. Atomic, because a user who is read as waiting must still be waiting when the pair is written, and both sides,
-- the queue, the outbox and the notice to the partner's node must change together. Idempotent by request ids.
-- KEYS and ARGV[1] to [3]: see registry.lua
-- ARGV[4] a random integer from 0 to 2^31 - 2; then for each search six:
--   userId   requestId   the revision that the node knows, 0 if it has none   id of the session that begins if a partner is found
--   hash of the token that resumes the user, or -
--   what else: "skip sessionId messages" to end that session first, "unchanged" to do nothing for a user whose entry has another
--   revision than the known one, or -
-- Replies: for each search an array of changes as JSON, the user's own first, then of every other user of the node who was touched
--          the errors of registry.lua, for all searches at once
-- The user lives elsewhere: gone or away. The node knows a revision and there is no entry: idle at revision 0. The request id is
-- not greater than the last one, or the revision is another one: the user's present state. Nothing is written in these cases.

if late then return late end
local lost = leaseLost()
if lost then return lost end

-- The time of all searches as text, made when it is needed.
local startedAt, waitsSince

local function search(userId, requestId, revision, sessionId, token, also)
  touched = {}
  local user = read(userId)
  if user and user.node ~= nodeId then return { elsewhere(user) } end
  if not user and revision ~= '0' then return { change({ userId = userId, revision = 0, state = 'i' }) } end
  if user and tonumber(requestId) <= tonumber(user.requestId) then return { change(user, partnerOf(user)) } end
  if user and also == 'unchanged' and revision ~= user.revision then return { change(user, partnerOf(user)) } end
  if not user then
    user = { userId = userId, state = 'i', node = nodeId, revision = 0, other = '-', token = token, previousToken = '-' }
    redis.call('SADD', membersKey, user.userId)
  end
  user.requestId = requestId
  if user.state == 'p' then
    local skipped, messages = also:match('^skip (%S+) (%S+)$')
    if user.sessionId == skipped then endSession(user, 'skip', messages) end
  end
  if user.state == 'p' then
    write(user)
    return { change(user, partnerOf(user)), unpack(touched) }
  end

  local partner = draw(user)
  if partner then
    redis.call('ZREM', queueKey, partner.userId, user.userId)
    startedAt = startedAt or string.format('%d', nowMs)
    partner.other, partner.sessionId, partner.since, partner.side = user.userId, sessionId, startedAt, 'a'
    user.other, user.sessionId, user.since, user.side = partner.userId, sessionId, startedAt, 'b'
    write(partner, 'p')
    write(user, 'p')
    record('started ' .. sessionId .. ' ' .. partner.userId .. ' ' .. user.userId .. ' ' .. startedAt)
    notify(partner, user)
  elseif user.state == 'w' then
    write(user)
  else
    waitsSince = waitsSince or string.format('%d%06d', time[1], time[2])
    user.since, user.sessionId, user.side = waitsSince, '-', '-'
    redis.call('ZADD', queueKey, user.since, user.userId)
    write(user, 'w')
  end
  return { change(user, partner), unpack(touched) }
end

local replies = {}
for first = 5, #ARGV, 6 do
  replies[#replies + 1] = search(unpack(ARGV, first, first + 5))
end
writeChanged()
return replies
