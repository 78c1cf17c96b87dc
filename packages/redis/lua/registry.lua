-- The pair registry: what every script that changes it puts before its own lines.
-- All keys lie in one pool and carry its hash tag.
--   KEYS[1] users   hash    userId -> "1 state node requestId revision other sessionId since side token previousToken"
--                           1: version of this format; every version begins with these five fields, and what a later
--                           one adds behind these stays. '-': there is none
--                           state i, w or p; node: - while the user is away; other: the partner, or the last one
--                           since: while waiting the µs, while paired the ms since the epoch
--                           token, previousToken: hashes of what resumes the user; - for a plain user
--   KEYS[2] queue   zset    userId by `since`
--   KEYS[3] leases  zset    nodeId by the ms since the epoch at which its lease lapses; 0: it is lost for ever
--   KEYS[4] outbox  stream  session facts for the recorder
--   KEYS[5] away    zset    userId of each user who is away, by the ms since the epoch until which they may resume
--   KEYS[6] members set     userIds that live on the node of the script; perhaps also ones that have moved elsewhere
--   ARGV[1] prefix of the nodes' channels
--   ARGV[2] the ms since the epoch after which this call comes too late: its caller has given it up
-- Replies: the error LATE then, and LEASE_LOST where a script needs the lease of its node; nothing is written

local usersKey, queueKey, leasesKey, outboxKey, awayKey, membersKey = unpack(KEYS)
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local late = nowMs > tonumber(ARGV[2]) and redis.error_reply('LATE the call came after it was given up')
local touched = {}

local function lapsesAt(nodeId)
  return tonumber(redis.call('ZSCORE', leasesKey, nodeId) or 0)
end

local function leaseLost(nodeId)
  return lapsesAt(nodeId) == 0 and redis.error_reply('LEASE_LOST the lease of the node is lost')
end

-- An entry of another version is never written, as only nodes of that version can act for the user: it comes as one that
-- lives elsewhere, in no session. foreign: its node, or - while the user is away.
local function read(userId)
  local raw = redis.call('HGET', usersKey, userId)
  if not raw then return nil end
  local e = { userId = userId }
  e.state, e.node, e.requestId, e.revision, e.other, e.sessionId, e.since, e.side, e.token, e.previousToken, e.rest =
    raw:match('^1 (%a) (%S+) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)(.*)$')
  if not e.state then
    e.foreign, e.revision = raw:match('^%d+ %a (%S+) %d+ (%d+)')
    e.node = e.foreign == '-' and '-' or '?'
    if not e.foreign then return nil end
  end
  e.requestId, e.revision = tonumber(e.requestId), tonumber(e.revision)
  return e
end

-- Writes an entry; with a state, the entry changes to that state and its revision grows.
local function write(e, state)
  if state then e.state, e.revision = state, e.revision + 1 end
  if e.state == 'i' then e.sessionId, e.since, e.side = '-', '-', '-' end
  redis.call('HSET', usersKey, e.userId, table.concat({ '1', e.state, e.node, e.requestId, e.revision, e.other,
    e.sessionId, e.since, e.side, e.token, e.previousToken }, ' ') .. (e.rest or ''))
end

-- The entry of the partner, if both sides are in the same session.
local function partnerOf(e)
  local partner = e.state == 'p' and read(e.other)
  return partner and partner.sessionId == e.sessionId and partner or nil
end

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
  redis.call('PUBLISH', ARGV[1] .. node, '{"v":1,"kind":"change","change":' .. json .. '}')
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
