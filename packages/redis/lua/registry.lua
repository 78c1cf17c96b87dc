-- The pair registry: what every script that changes it puts before its own lines.
-- All keys lie in one pool and carry its hash tag.
--   KEYS[1] users   hash    userId -> "state node requestId revision other [sessionId startedAt side]"
--                           state i, w or p; other: the partner while paired, else the last partner, or -
--   KEYS[2] queue   zset    userId by the µs since the epoch at which the waiting began
--   KEYS[3] leases  zset    nodeId by the ms since the epoch at which its lease lapses
--   KEYS[4] outbox  stream  session facts for the recorder
--   KEYS[5] members set     userIds that have an entry and live on the node of the script
--   ARGV[1] prefix of the nodes' channels

local usersKey, queueKey, leasesKey, outboxKey, membersKey = unpack(KEYS)
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local touched = {}

local function leaseIsValid(nodeId)
  return tonumber(redis.call('ZSCORE', leasesKey, nodeId) or 0) > nowMs
end

local function read(userId)
  local raw = redis.call('HGET', usersKey, userId)
  if not raw then return nil end
  local e = { userId = userId }
  e.state, e.node, e.requestId, e.revision, e.other, e.sessionId, e.startedAt, e.side =
    raw:match('^(%a) (%S+) (%d+) (%d+) (%S+) ?(%S*) ?(%d*) ?(%a?)$')
  e.requestId, e.revision = tonumber(e.requestId), tonumber(e.revision)
  return e
end

-- Writes an entry; with a state, the entry changes to that state and its revision grows.
local function write(e, state)
  if state then e.state, e.revision = state, e.revision + 1 end
  local raw = e.state .. ' ' .. e.node .. ' ' .. e.requestId .. ' ' .. e.revision .. ' ' .. e.other
  if e.state == 'p' then raw = raw .. ' ' .. e.sessionId .. ' ' .. e.startedAt .. ' ' .. e.side end
  redis.call('HSET', usersKey, e.userId, raw)
end

-- A change as JSON. partnerNode: of a paired entry; endedId and reason: of a session that somebody else ended.
local function change(e, partnerNode, endedId, reason)
  local c = { userId = e.userId, revision = e.revision, state = e.state }
  if e.state == 'p' then
    c.session = { sessionId = e.sessionId, partnerId = e.other, partnerNode = partnerNode, startedAt = tonumber(e.startedAt), side = e.side }
  end
  if endedId then c.ended = { sessionId = endedId, reason = reason } end
  return cjson.encode(c)
end

-- Tells the node of a user, and the caller, of a change that another user's command made.
local function notify(e, ...)
  local c = change(e, ...)
  redis.call('PUBLISH', ARGV[1] .. e.node, '{"kind":"change","change":' .. c .. '}')
  touched[#touched + 1] = c
end

-- Ends the session of a paired entry: both sides idle, the fact in the outbox, the partner told.
local function endSession(e, reason, messages)
  local partner, userA, userB = read(e.other), e.userId, e.other
  if e.side == 'b' then userA, userB = userB, userA end
  redis.call('XADD', outboxKey, '*', 'kind', 'ended', 'sessionId', e.sessionId, 'userA', userA, 'userB', userB,
    'startedAt', e.startedAt, 'endedAt', nowMs, 'endReason', reason, 'messages', messages)
  write(e, 'i')
  if partner and partner.sessionId == e.sessionId then
    write(partner, 'i')
    notify(partner, nil, e.sessionId, reason)
  end
end
