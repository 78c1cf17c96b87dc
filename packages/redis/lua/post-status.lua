#!lua flags=allow-oom
-- Keeps what a node says of itself, in place of what it said before, or takes it off; and takes off what nodes said that
-- have no lease any more, such as one that was killed.
-- Atomic, because a node whose lease is gone must leave nothing behind: nobody would take it off once the last node has
-- ended. Idempotent.
-- KEYS[1] nodes   hash  nodeId -> the ms since the epoch, by this server's clock, at which it was said, a space, and JSON
-- KEYS[2] leases  zset  nodeId by the ms since the epoch at which its lease lapses; 0: it is lost
-- ARGV[1] nodeId  [2] the JSON, or '' to take off what the node said
-- Replies: 1, or 0 for a node that has no lease: nothing is kept for it

local has = ARGV[2] ~= '' and tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0) > 0
if has then
  local time = redis.call('TIME')
  local nowMs = string.format('%d%03d', time[1], math.floor(time[2] / 1000))
  redis.call('HSET', KEYS[1], ARGV[1], nowMs .. ' ' .. ARGV[2])
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
-- Otherwise there is nothing of nodes that are gone; nodes of the version before, which say nothing, may hide them for a while.
if redis.call('HLEN', KEYS[1]) > redis.call('ZCARD', KEYS[2]) then
  for _, nodeId in ipairs(redis.call('HKEYS', KEYS[1])) do
    if not redis.call('ZSCORE', KEYS[2], nodeId) then redis.call('HDEL', KEYS[1], nodeId) end
  end
end
return has and 1 or 0
