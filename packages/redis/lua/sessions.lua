-- What changes a session, and who is told of it: what every script that changes the registry puts before its own lines,
-- behind registry.lua.
-- KEYS and ARGV[1] to [3]: see registry.lua
-- touched: the changes of users of the node that asks, but for the one who is served, as JSON, in the order in which they were made

local touched = {}

-- A change as JSON. partner: the entry of the partner, for a paired one; ended: what of the JSON tells of a session that
-- somebody else ended. Put together by hand, which costs a third: servers made all ids, and none needs an escape in JSON.
local function change(e, partner, ended)
  local session = ''
  if e.state == 'p' then
    session = ',"session":{"sessionId":"' .. e.sessionId .. '","partnerId":"' .. e.other .. '","startedAt":' .. e.since ..
      ',"side":"' .. e.side .. (partner and partner.node ~= '-' and '","partnerNode":"' .. partner.node or '') .. '"}'
  end
  return '{"userId":"' .. e.userId .. '","revision":' .. e.revision .. ',"state":"' .. e.state .. '"' .. session .. (ended or '') .. '}'
end

-- What a node learns of a user who lives on another one (g) or is away (a).
local function elsewhere(e)
  return change({ userId = e.userId, revision = e.revision, state = e.node == '-' and 'a' or 'g' })
end

local function publish(node, json)
  redis.call('PUBLISH', ARGV[1] .. node, '{"v":1,"kind":"change","change":' .. json .. '}')
end

-- Tells the node of a user of a change that another user's command made; and the caller, if that is the node. A caller who
-- heard of a user of another node could take a user for up to date who has moved there.
local function notify(e, partner, ended)
  local c = change(e, partner, ended)
  if e.node ~= '-' then publish(e.node, c) end
  if e.node == nodeId then touched[#touched + 1] = c end
end

-- Adds a fact to the outbox: a text, as one field costs a third less than many, here and for the recorder.
local function record(fact)
  redis.call('XADD', outboxKey, '*', 'fact', fact)
end

-- Ends the session of a paired entry: both sides idle, the fact in the outbox, the partner told.
local function endSession(e, reason, messages)
  local partner, sessionId, userA, userB = partnerOf(e), e.sessionId, e.userId, e.other
  if e.side == 'b' then userA, userB = userB, userA end
  record('ended ' .. sessionId .. ' ' .. userA .. ' ' .. userB .. ' ' .. e.since .. ' ' .. string.format('%d', nowMs) .. ' ' ..
    reason .. ' ' .. (messages == '' and '-' or messages))
  if not partner then return write(e, 'i') end
  write(e, 'i')
  write(partner, 'i')
  notify(partner, nil, ',"ended":{"sessionId":"' .. sessionId .. '","reason":"' .. reason .. '"}')
end
