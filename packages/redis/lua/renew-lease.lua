-- Gives, prolongs or gives up the lease of a node, and names nodes whose lease lapsed.
-- Atomic, because a lease may only be prolonged while it is still valid: once others may reap it, it never comes back.
-- Idempotent.
-- KEYS[1] leases  zset  nodeId by the ms since the epoch, by this server's clock, at which its lease lapses
-- ARGV[1] nodeId  [2] length of the lease in ms, or 0 to give it up  [3] '1' for a node that is new
-- Replies: an array of up to 10 nodeIds whose lease lapsed
--          the error LEASE_LOST if the node is not new and its lease is not valid; nothing is written then

local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local lapsesAt = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
if ARGV[3] ~= '1' and lapsesAt <= nowMs then return redis.error_reply('LEASE_LOST the node holds no valid lease') end
redis.call('ZADD', KEYS[1], tonumber(ARGV[2]) > 0 and nowMs + ARGV[2] or 0, ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], 0, nowMs, 'LIMIT', 0, 10)
