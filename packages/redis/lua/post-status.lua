#!lua flags=allow-oom
-- Keeps what a node says of itself, in place of what it said before, or takes it off. When a node comes or goes, it also takes
-- off what nodes said long ago that have no lease any more. What such a node said lately stays, and tells that it is lost.
-- Atomic, because a node that has said goodbye must not seem lost: what it said before may come late, without its lease. When
-- nobody says anything any more, all of it lapses. Idempotent.
-- KEYS[1] nodes   hash  nodeId -> the ms since the epoch, by this server's clock, at which it was said, a space, and JSON
-- KEYS[2] leases  zset  nodeId by the ms since the epoch at which its lease lapses; 0: it is lost
-- ARGV[1] nodeId  [2] the JSON, or '' to take off what the node said
-- ARGV[3] for how many ms it is kept what a node said that has no lease any more
-- Replies: 1, or 0 for a node that has no lease: what it says is not kept

local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000)
local has = ARGV[2] ~= '' and tonumber(redis.call('ZSCORE', KEYS[2], ARGV[1]) or 0) > 0
local comesOrGoes = ARGV[2] == ''
if has then
  comesOrGoes = redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', nowMs) .. ' ' .. ARGV[2]) == 1
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif comesOrGoes then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
-- Not each time, as there may be many nodes.
if comesOrGoes then
  for _, nodeId in ipairs(redis.call('HKEYS', KEYS[1])) do
    if not redis.call('ZSCORE', KEYS[2], nodeId) then
      local saidMs = tonumber(string.match(redis.call('HGET', KEYS[1], nodeId), '^%d+') or 0)
      if nowMs - saidMs >= tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], nodeId) end
    end
  end
end
return has and 1 or 0
