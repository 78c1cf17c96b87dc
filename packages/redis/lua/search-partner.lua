#!lua
-- Pairs users, one after the other, each with one of the longest-waiting few, or puts them into the queue; for a skip, first
-- ends a session. Atomic, because a user who is read as waiting must still be waiting when the pair is written, and both sides,
-- the queue, the outbox and the notice to the partner's node must change together. Idempotent by request ids.
-- KEYS and ARGV[1], [2]: see registry.lua; KEYS[6] is of the node that asks
-- ARGV[3] nodeId; then for each search nine:
--   userId   requestId   the revision that the node knows, 0 if it has none   id of the session that begins if a partner is found
--   hash of the token that resumes the user, or -   a random integer, at least 0
--   for a skip: id of the session to end first, else -   its number of messages, or ''
--   '1' to do nothing for a user whose entry has another revision than the known one
-- Replies: for each search an array of changes as JSON, the user's own first, then of every other user who was touched
--          the errors of registry.lua, for all searches at once
-- The user lives elsewhere: gone or away. The node knows a revision and there is no entry: idle at revision 0. The request id is
-- not greater than the last one, or the revision is another one: the user's present state. Nothing is written in these cases.

if late then return late end
local nodeId = ARGV[3]
local lost = leaseLost(nodeId)
if lost then return lost end

local function search(userId, requestId, revision, sessionId, token, random, skipped, messages, unlessChanged)
  touched = {}
  local user = read(userId)
  if user and user.node ~= nodeId then return { elsewhere(user) } end
  if not user and revision ~= '0' then return { change({ userId = userId, revision = 0, state = 'i' }) } end
  if user and tonumber(requestId) <= tonumber(user.requestId) then return { change(user, partnerOf(user)) } end
  if user and unlessChanged == '1' and revision ~= user.revision then return { change(user, partnerOf(user)) } end
  if not user then
    user = { userId = userId, state = 'i', node = nodeId, revision = 0, other = '-', token = token, previousToken = '-' }
    redis.call('SADD', membersKey, user.userId)
  end
  user.requestId = requestId
  if user.state == 'p' and user.sessionId == skipped then endSession(user, 'skip', messages) end
  if user.state == 'p' then
    write(user)
    return { change(user, partnerOf(user)), unpack(touched) }
  end

  local partner = draw(user, random)
  if partner then
    redis.call('ZREM', queueKey, partner.userId, user.userId)
    local startedAt = string.format('%d', nowMs)
    partner.other, partner.sessionId, partner.since, partner.side = user.userId, sessionId, startedAt, 'a'
    user.other, user.sessionId, user.since, user.side = partner.userId, sessionId, startedAt, 'b'
    writeBoth(partner, user, 'p')
    record('started ' .. sessionId .. ' ' .. partner.userId .. ' ' .. user.userId .. ' ' .. startedAt)
    notify(partner, user)
  elseif user.state == 'w' then
    write(user)
  else
    user.since, user.sessionId, user.side = string.format('%d%06d', time[1], time[2]), '-', '-'
    redis.call('ZADD', queueKey, user.since, user.userId)
    write(user, 'w')
  end
  return { change(user, partner), unpack(touched) }
end

local replies = {}
for first = 4, #ARGV, 9 do
  replies[#replies + 1] = search(unpack(ARGV, first, first + 8))
end
return replies
