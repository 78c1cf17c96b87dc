-- The pair registry: what every script that changes it puts before its own lines, with sessions.lua behind it.
-- All keys lie in one pool and carry its hash tag.
--   KEYS[1] users   hash    userId -> "1 state node requestId revision other sessionId since side token previousToken"
--                           1: version of this format; every version begins with these five fields, keeps its users in
--                           these keys, and leaves what a later one adds behind these. '-': there is none
--                           state i, w or p; node: - while the user is away; other: the partner, or the last one
--                           since: while waiting the µs, while paired the ms since the epoch
--                           token, previousToken: hashes of what resumes the user; - for a plain user
--   KEYS[2] queue   zset    userId by `since`
--   KEYS[3] leases  zset    nodeId by the ms since the epoch at which its lease lapses; 0: it is lost for ever
--   KEYS[4] outbox  stream  session facts for the recorder, each a field `fact` with a text, whose fields have one space between:
--                           "started sessionId userA userB startedAt" or
--                           "ended sessionId userA userB startedAt endedAt reason messages"; -: nobody knows how many
--   KEYS[5] away    zset    userId of each user who is away, by the ms since the epoch until which they may resume, and of
--                           each whom no node has any more; the fraction is explained in expire-away.lua
--   KEYS[6] members set     userIds that live on the node that asks; perhaps also ones that have moved elsewhere
--   ARGV[1] prefix of the nodes' channels
--   ARGV[2] the ms since the epoch after which this call comes too late: its caller has given it up
--   ARGV[3] nodeId of the node that asks
-- Replies: the error LATE then, and LEASE_LOST where a script needs the lease of its node; nothing is written

local usersKey, queueKey, leasesKey, outboxKey, awayKey, membersKey = unpack(KEYS)
local nodeId = ARGV[3]
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local late = nowMs > tonumber(ARGV[2]) and redis.error_reply('LATE the call came after it was given up')

local lapses = {}
local function lapsesAt(node)
  if not lapses[node] then lapses[node] = tonumber(redis.call('ZSCORE', leasesKey, node) or 0) end
  return lapses[node]
end

local function leaseLost()
  return lapsesAt(nodeId) == 0 and redis.error_reply('LEASE_LOST the lease of the node is lost')
end

-- The entries that this call has read or changed, by userId; false: removed. Each is read once, and all that have changed are
-- written together, by writeChanged, with which a script ends. Made with room for two, as to grow costs more.
local entries = { a = nil, b = nil }

-- An entry of another version is never written, as only nodes of that version can act for the user: it comes as one that
-- lives elsewhere, in no session. foreign: its node, or - while the user is away. All fields are texts, as they stand there.
-- nil or false: there is none. raw: the text of the entry, if the caller has it already.
local function read(userId, raw)
  local e = entries[userId]
  if e ~= nil then return e end
  raw = raw or redis.call('HGET', usersKey, userId)
  if not raw then return false end
  local state, node, requestId, revision, other, sessionId, since, side, token, previousToken, rest =
    raw:match('^1 (%a) (%S+) (%d+) (%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)(.*)$')
  if state then
    e = { userId = userId, state = state, node = node, requestId = requestId, revision = revision, other = other,
      sessionId = sessionId, since = since, side = side, token = token, previousToken = previousToken, rest = rest }
  else
    local foreign, itsRevision = raw:match('^%d+ %a (%S+) %d+ (%d+)')
    e = foreign and { userId = userId, foreign = foreign, node = foreign == '-' and '-' or '?', revision = itsRevision }
  end
  entries[userId] = e
  return e
end

-- Keeps a changed entry for writeChanged. With a state, the entry changes to that state and its revision grows.
local function write(e, state)
  if state then e.state, e.revision = state, string.format('%d', e.revision + 1) end
  if e.state == 'i' then e.sessionId, e.since, e.side = '-', '-', '-' end
  entries[e.userId], e.changed = e, true
end

-- Writes what has changed, in one command.
local function writeChanged()
  local texts, n = { false, false, false, false }, 0
  for userId, e in pairs(entries) do
    if e and e.changed then
      n = n + 2
      texts[n - 1], texts[n] = userId, '1 ' .. e.state .. ' ' .. e.node .. ' ' .. e.requestId .. ' ' .. e.revision .. ' ' ..
        e.other .. ' ' .. e.sessionId .. ' ' .. e.since .. ' ' .. e.side .. ' ' .. e.token .. ' ' .. e.previousToken ..
        (e.rest or '')
    end
  end
  if n > 0 then redis.call('HSET', usersKey, unpack(texts, 1, n)) end
end

-- The entry of the partner, if both sides are in the same session.
local function partnerOf(e)
  local partner = e.state == 'p' and read(e.other)
  return partner and partner.sessionId == e.sessionId and partner or nil
end
