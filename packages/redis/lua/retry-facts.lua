#!lua
-- Moves the oldest refused facts back to the end of the outbox, as they were, for the recorder to try again.
-- Atomic, because an entry must be in one of the two streams whatever fails. Not idempotent, and need not be: run again,
-- it moves the next ones, and a fact may be recorded twice.
-- KEYS[1] outbox   stream  session facts that wait for the recorder
-- KEYS[2] refused  stream  see set-aside-fact.lua
-- ARGV[1] how many at the most (1 to 1000)
-- Replies: how many were moved

redis.call('XLEN', KEYS[1]) -- Fails before the first write if the key is something else than a stream.
local entries = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', ARGV[1])
for _, entry in ipairs(entries) do
  local id, fields = entry[1], entry[2]
  redis.call('XADD', KEYS[1], '*', unpack(fields, 1, #fields - 4)) -- Without reason and outboxId.
  redis.call('XDEL', KEYS[2], id)
end
return #entries
