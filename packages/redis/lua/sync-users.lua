#!lua flags=allow-oom
-- Makes the registry and a node agree about users of the node, after either may have missed something. The entry wins if
-- it is newer than what the node knows. Otherwise the registry has lost writes, or all of its data, and what the node
-- knows is written again, also if it is only the revision: what follows must be newer for the node. A session then goes
-- on if the partner's node says the same. Only of a user who moved elsewhere and was forgotten there nothing is restored:
-- they are still among the node's members, which come and go together with their entries.
-- An entry of another node wins only if it is newer, too: each move makes it newer, so otherwise the registry has lost the
-- move to this node. The user is taken back with a revision above all that is known, for the other node may still believe
-- to have the user: of two nodes that do, the one that knows more gets the user, whichever comes first.
-- Atomic, because what is restored must not overwrite a change that came in between. May be repeated.
-- KEYS and ARGV[1] to [3]: see registry.lua
-- ARGV[4] JSON array of { userId, revision, requestId, state, token, other, and while paired also sessionId,
--         startedAt, side, partnerNode }
-- Replies: an array of changes as JSON, one for each user in the same order: gone or away for one who lives elsewhere, or
--          was forgotten there;
--          idle at revision 0, and nothing is written, for one whom neither side has in the registry; with `unconfirmed`
--          for one who is paired and whose partner's entry does not say the same
--          the errors of registry.lua
-- The nodes from which users are taken back are told, and the partners of these users and of those whose entry was lost.

if late then return late end
local lost = leaseLost()
if lost then return lost end

-- same: the entry is in the same state, and only its revision is older.
local function restore(known, old, same)
  if old and old.state == 'p' and not same then endSession(old, 'lost', '') end
  local before = old and old.node ~= nodeId and old.node
  local e = { userId = known.userId, state = known.state, node = nodeId, requestId = known.requestId,
    revision = known.revision + (before and 1 or 0), other = known.other, token = known.token, previousToken = '-',
    sessionId = known.sessionId or '-', side = known.side or '-', since = known.startedAt or '-', rest = old and old.rest }
  redis.call('ZREM', queueKey, e.userId)
  redis.call('ZREM', awayKey, e.userId)
  redis.call('SADD', membersKey, e.userId)
  if e.state == 'w' then
    e.since = same and old.since or string.format('%d%06d', time[1], time[2])
    redis.call('ZADD', queueKey, e.since, e.userId)
  elseif e.side == 'a' and not same then
    -- It may have been lost before it was recorded; once more does no harm.
    record('started ' .. e.sessionId .. ' ' .. e.userId .. ' ' .. e.other .. ' ' .. e.since)
  end
  -- A partner who came back while this entry was lost was told that nobody is there, and may have moved since.
  local partner = (before or not old) and partnerOf(e)
  if partner and not before and partner.node ~= (known.partnerNode or '-') then e.revision = known.revision + 1 end
  write(e)
  if before and before ~= '-' then publish(before, elsewhere(e)) end
  if partner then
    write(partner, 'p')
    notify(partner, e)
  end
  return e
end

local replies = {}
for i, known in ipairs(cjson.decode(ARGV[4])) do
  local e = read(known.userId)
  local revision = e and tonumber(e.revision)
  local moved = e and e.node ~= nodeId
  if moved and (e.foreign or revision > known.revision) then
    replies[i] = elsewhere(e)
  elseif not e and known.revision == 0 then
    replies[i] = change({ userId = known.userId, revision = 0, state = 'i' })
  elseif not e and redis.call('SISMEMBER', membersKey, known.userId) == 1 then
    replies[i] = elsewhere({ userId = known.userId, revision = known.revision + 1, node = '?' })
  else
    local same = e and e.state == known.state and (e.state ~= 'p' or e.sessionId == known.sessionId)
    if not e or moved or revision < known.revision or (revision == known.revision and not same) then
      e = restore(known, e, same)
    end
    local partner = partnerOf(e)
    local believed = e.sessionId == known.sessionId and known.partnerNode or '-'
    local reply = cjson.decode(change(e, partner or { node = believed }))
    reply.unconfirmed = e.state == 'p' and not partner or nil
    replies[i] = cjson.encode(reply)
  end
end
writeChanged()
return replies
