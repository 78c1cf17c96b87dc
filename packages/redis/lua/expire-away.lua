#!lua flags=allow-oom
-- Removes users who were away for longer than they may be, a batch at a time, and ends their sessions.
-- Atomic, because a session must end for both sides at once, and the user must still be away when it ends. Idempotent.
-- KEYS and ARGV[1], [2]: see registry.lua; KEYS[6] is not used
-- ARGV[3] how many users at the most (1 to 1000)
-- Replies: how many more are due
--          the error LATE of registry.lua

if late then return late end
for _, userId in ipairs(redis.call('ZRANGEBYSCORE', awayKey, 0, nowMs, 'LIMIT', 0, ARGV[3])) do
  local user = read(userId)
  if user and user.node == '-' and not user.foreign then
    if user.state == 'p' then endSession(user, 'timeout', '') end
    redis.call('HDEL', usersKey, userId)
  end
  -- Those of another version are left to nodes of that version.
  if not (user and user.foreign) then redis.call('ZREM', awayKey, userId) end
end
return redis.call('ZCOUNT', awayKey, 0, nowMs)
