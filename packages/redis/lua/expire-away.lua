#!lua flags=allow-oom
-- Removes users who were away for longer than they may be, a batch at a time, and ends their sessions.
-- Atomic, because a session must end for both sides at once, and the user must still be away when it ends. Idempotent.
-- KEYS and ARGV[1] to [3]: see registry.lua; the node is not used
-- ARGV[4] how many users at the most (1 to 1000)
-- Users of another version are left to nodes of that version, and come again a minute later: they must not stay ahead of
-- those whom this one can expire.
-- Replies: how many more are due
--          the error LATE of registry.lua

if late then return late end
for _, userId in ipairs(redis.call('ZRANGEBYSCORE', awayKey, 0, nowMs, 'LIMIT', 0, ARGV[4])) do
  local user = read(userId)
  local foreign = user and user.foreign
  if user and user.node == '-' and not foreign then
    if user.state == 'p' then endSession(user, 'timeout', '') end
    entries[userId] = false
    redis.call('HDEL', usersKey, userId)
  end
  if foreign then redis.call('ZADD', awayKey, nowMs + 60000, userId) else redis.call('ZREM', awayKey, userId) end
end
writeChanged()
return redis.call('ZCOUNT', awayKey, 0, nowMs)
