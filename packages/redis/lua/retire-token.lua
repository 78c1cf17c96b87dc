#!lua flags=allow-oom
-- Makes the token before the present one worthless, because the client has the present one.
-- Atomic, because the user may move, and get another token, in the same moment. Idempotent.
-- KEYS and ARGV[1] to [3]: see registry.lua
-- ARGV[4] userId  [5] hash of the present token
-- Replies: 1
--          the error LATE of registry.lua
-- The user lives elsewhere, or has another token: 0, and nothing is written.

if late then return late end
local user = read(ARGV[4])
if not user or user.node ~= nodeId or user.token ~= ARGV[5] then return 0 end
user.previousToken = '-'
write(user)
writeChanged()
return 1
