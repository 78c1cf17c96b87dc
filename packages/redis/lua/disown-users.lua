#!lua flags=allow-oom
-- Takes users from a node that does not have them, though the registry says so. Who may resume is away from now on, unless
-- they said goodbye; the others are removed, and their sessions end.
-- Atomic, because a session must end for both sides at once, and the user must not have moved elsewhere. Idempotent.
-- KEYS and ARGV[1] to [3]: see registry.lua
-- ARGV[4] for how many ms a user may resume; 0: they said goodbye  [5] and further: up to 100 userIds
-- Replies: an array of changes as JSON, one for each partner who lives on the node
--          the error LATE of registry.lua

if late then return late end
for i = 5, #ARGV do
  local user = read(ARGV[i])
  if user and user.node == nodeId then
    user.requestId = user.requestId + 1
    if ARGV[4] == '0' then user.token = '-' end
    takeAway(user, ARGV[4], 'disconnect')
  end
  redis.call('SREM', membersKey, ARGV[i])
end
writeChanged()
return touched
