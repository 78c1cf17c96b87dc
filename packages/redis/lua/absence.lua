-- How users are taken from a node, or out of the registry: what the scripts that do so put before their own lines, behind
-- sessions.lua.
-- KEYS and ARGV[1] to [3]: see registry.lua

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

-- Removes a user who is in no session any more, or whose entry nobody can read.
local function remove(userId)
  redis.call('ZREM', queueKey, userId)
  entries[userId] = false
  redis.call('HDEL', usersKey, userId)
end

-- Takes a user from a node that does not act for them any more: away if they may resume, else removed.
local function takeAway(e, graceMs, reason)
  if e.token ~= '-' then return suspend(e, graceMs) end
  if e.state == 'p' then endSession(e, reason, '') end
  remove(e.userId)
end
