#!lua flags=allow-oom
-- Removes users who were away for longer than they may be, a batch at a time, and ends their sessions.
-- Atomic, because a session must end for both sides at once, and the user must still be away when it ends. Idempotent.
-- KEYS and ARGV[1] to [3]: see registry.lua; the node is not used
-- ARGV[4] how many users at the most (1 to 1000)
-- A user of another version, who is away or whose node is gone, is left to nodes of that version for 20 s, in which these take
-- the user, and then comes again a minute later, so as not to stay ahead of those whom this one can expire. The fraction of
-- the score says, in sixteenths, how often that was. Who is still there the eleventh time is removed: no node of that version is
-- there. The recorder then closes the session.
-- Replies: how many more are due; 0 also when nothing was done: there is no hurry then
--          the error LATE of registry.lua

if late then return late end
local due, done = redis.call('ZRANGEBYSCORE', awayKey, 0, nowMs, 'WITHSCORES', 'LIMIT', 0, ARGV[4]), 0
for i = 1, #due, 2 do
  local userId, score = due[i], due[i + 1]
  local user = read(userId)
  local isGone = not user or lapsesAt(user.foreign or user.node) == 0
  local isForeign = isGone and user and user.foreign
  if not isForeign or nowMs - score >= 20000 then
    done = done + 1
    if isForeign and score % 1 * 16 < 10 then
      redis.call('ZADD', awayKey, string.format('%.4f', nowMs + 60000 + score % 1 + 1 / 16), userId)
    else
      if isGone and user and user.state == 'p' then endSession(user, 'timeout', '') end
      if isGone then remove(userId) end
      redis.call('ZREM', awayKey, userId)
    end
  end
end
writeChanged()
return done > 0 and redis.call('ZCOUNT', awayKey, 0, nowMs) or 0
