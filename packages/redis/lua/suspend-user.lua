#!lua flags=allow-oom
-- Makes a user whose connection is lost away, so that they may resume: out of the queue, but not out of the session.
-- Atomic, because a user who is away must not be paired, and because the partner's node must know from then on that
-- messages cannot be delivered. Idempotent by request id.
-- KEYS and ARGV[1] to [3]: see registry.lua
-- ARGV[4] userId  [5] requestId  [6] for how many ms the user may resume
-- Replies: an array of changes as JSON: away for the user, then the partner's, if there is one
--          the error LATE of registry.lua; nothing is written then
-- The user lives elsewhere: gone or away. There is no entry: idle at revision 0. Only the node's own set of members is
-- cleared of the user in these two cases. The request id is not greater than the last one: gone, and nothing is written.

if late then return late end
local user = read(ARGV[4])
if user and user.node == nodeId and tonumber(ARGV[5]) > tonumber(user.requestId) then
  user.requestId = ARGV[5]
  suspend(user, ARGV[6])
end
if not user or user.node ~= nodeId then redis.call('SREM', membersKey, ARGV[4]) end
writeChanged()
return { user and elsewhere(user) or change({ userId = ARGV[4], revision = 0, state = 'i' }), unpack(touched) }
