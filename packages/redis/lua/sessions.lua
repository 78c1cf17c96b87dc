-- What changes a session, and who is told of it: what every script that changes the registry puts before its own lines,
-- behind registry.lua.
-- KEYS and ARGV[1], [2]: see registry.lua
-- touched: the changes of users other than the one of the script, as JSON, in the order in which they were made

local touched = {}

-- A change as JSON. partner: the entry of the partner, for a paired one; ended: the session that somebody else ended.
local function change(e, partner, ended)
  local c = { userId = e.userId, revision = e.revision, state = e.state, ended = ended }
  if e.state == 'p' then
    local partnerNode = partner and partner.node ~= '-' and partner.node or nil
    c.session = { sessionId = e.sessionId, partnerId = e.other, partnerNode = partnerNode, startedAt = tonumber(e.since), side = e.side }
  end
  return cjson.encode(c)
end

-- What a node learns of a user who lives on another one (g) or is away (a).
local function elsewhere(e)
  return cjson.encode({ userId = e.userId, revision = e.revision, state = e.node == '-' and 'a' or 'g' })
end

local function publish(node, json)
  redis.call('PUBLISH', ARGV[1] .. node, '{"v":1,"messages":[{"kind":"change","change":' .. json .. '}]}')
end

-- Tells the node of a user, and the caller, of a change that another user's command made.
local function notify(e, ...)
  local c = change(e, ...)
  if e.node ~= '-' then publish(e.node, c) end
  touched[#touched + 1] = c
end

-- Ends the session of a paired entry: both sides idle, the fact in the outbox, the partner told.
local function endSession(e, reason, messages)
  local partner, sessionId, userA, userB = partnerOf(e), e.sessionId, e.userId, e.other
  if e.side == 'b' then userA, userB = userB, userA end
  redis.call('XADD', outboxKey, '*', 'kind', 'ended', 'sessionId', sessionId, 'userA', userA, 'userB', userB,
    'startedAt', e.since, 'endedAt', nowMs, 'endReason', reason, 'messages', messages)
  write(e, 'i')
  if partner then
    write(partner, 'i')
    notify(partner, nil, { sessionId = sessionId, reason = reason })
  end
end

-- Makes a user away: nobody can be paired with them, and they keep their chat or their place for as long as they may
-- resume. Their node is told too, as it may believe that it still has them.
local function suspend(e, graceMs)
  local partner, node = partnerOf(e), e.node
  redis.call('ZREM', queueKey, e.userId)
  redis.call('ZADD', awayKey, nowMs + graceMs, e.userId)
  e.node = '-'
  write(e, e.state)
  publish(node, elsewhere(e))
  if partner then
    write(partner, 'p')
    notify(partner, e)
  end
end

-- Takes a user from a node that does not act for them any more: away if they may resume, else removed.
local function takeAway(e, graceMs, reason)
  if e.token ~= '-' then return suspend(e, graceMs) end
  if e.state == 'p' then endSession(e, reason, '') end
  redis.call('ZREM', queueKey, e.userId)
  redis.call('HDEL', usersKey, e.userId)
end
