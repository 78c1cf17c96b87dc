#!lua flags=allow-oom
-- Takes, prolongs or gives up the lease of a node, and tells what there is for nodes to do.
-- Atomic, because a lease must not be prolonged once it is lost: others take the node's users then. A lease that lapsed
-- and that nobody touched is prolonged. If the epoch of the pool is another than the node knows, Redis has lost its data,
-- and the lease with it: the node takes it again. Idempotent.
-- KEYS[1] leases  zset    nodeId by the ms since the epoch, by this server's clock, at which its lease lapses; 0: lost
-- KEYS[2] epoch   string  names the life of the pool's data: made with the first key, and gone with the last
-- KEYS[3] away    zset    userId by the ms since the epoch until which they may resume
-- KEYS[4] outbox  stream  session facts for the recorder
-- ARGV[1] nodeId  [2] length of the lease in ms, or 0 to give it up  [3] the epoch that the node knows, or '' for a new
-- node  [4] the epoch to begin if there is none  [5] a random integer, at least 0
-- ARGV[6] the ms since the epoch after which this call comes too late: its caller has given it up
-- Replies: to a lease that is given up: an empty array. Otherwise an array: the epoch, the ms since the epoch by this
--          server's clock, how many users are due to be expired, the length of the outbox, up to 10 nodeIds whose lease
--          lapsed: not always the first, which may be of another version and stay
--          the error LEASE_LOST if the lease is lost, or LATE; nothing is written then

if tonumber(ARGV[2]) == 0 then
  redis.call('ZADD', KEYS[1], 'XX', 0, ARGV[1])
  return {}
end
local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
if nowMs > tonumber(ARGV[6]) then return redis.error_reply('LATE the call came after it was given up') end
local epoch = redis.call('GET', KEYS[2]) or ARGV[4]
if ARGV[3] == epoch and tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) == 0 then
  return redis.error_reply('LEASE_LOST the lease of the node is lost')
end
redis.call('SET', KEYS[2], epoch)
redis.call('ZADD', KEYS[1], nowMs + ARGV[2], ARGV[1])
local lapsed = redis.call('ZCOUNT', KEYS[1], 0, nowMs)
return { epoch, nowMs, redis.call('ZCOUNT', KEYS[3], 0, nowMs), redis.call('XLEN', KEYS[4]),
  unpack(redis.call('ZRANGEBYSCORE', KEYS[1], 0, nowMs, 'LIMIT', ARGV[5] % math.max(lapsed - 9, 1), 10)) }
