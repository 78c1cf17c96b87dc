#!lua flags=allow-oom
-- Moves an entry that the recorder cannot record from the outbox to the stream of refused facts, whole, with the reason.
-- Atomic, because the entry must be in one of the two streams whatever fails, and because two recorders may find it at
-- the same time. Idempotent by the entry's id. Allowed when Redis is full, because it takes no room to speak of and the
-- facts behind this one could not be recorded otherwise, which makes room.
-- KEYS[1] outbox   stream  session facts that wait for the recorder
-- KEYS[2] refused  stream  entries as they were in the outbox, with two more fields at the end: reason, outboxId
-- ARGV[1] id of the entry in the outbox  [2] reason
-- Replies: how many entries it moved: 1, or 0 if the outbox has no such entry; nothing is written then

redis.call('XLEN', KEYS[2]) -- Fails before the first write if the key is something else than a stream.
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return 0 end
local fields = entry[2]
for _, each in ipairs({ 'reason', ARGV[2], 'outboxId', ARGV[1] }) do fields[#fields + 1] = each end
redis.call('XADD', KEYS[2], '*', unpack(fields))
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
