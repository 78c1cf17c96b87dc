-- Whom a user is paired with: what search-partner.lua puts before its own lines, behind sessions.lua.
-- KEYS and ARGV[1] to [3]: see registry.lua; ARGV[4] is the random integer of the first draw. The one of each further draw follows
-- from it, by Park and Miller's generator (Communications of the ACM 31/10, 1988).

local random = tonumber(ARGV[4])

-- One of the longest-waiting eight, drawn at random; the partner of the last session only if nobody else waits.
-- Users of lapsed nodes keep their place, for their nodes may come back; 64 rounds pass over far more than there are. Ids in the
-- queue that have no entry lose theirs.
local function draw(user)
  local allowed, drawnFrom, parted, ghosts = {}, 8, nil, nil
  for round = 0, 63 do
    local tens = round > 0 and round or ''
    local oldest = redis.call('ZRANGE', queueKey, tens .. '0', tens .. '9')
    for _, otherId in ipairs(oldest) do
      local other = otherId ~= user.userId and read(otherId)
      if other and lapsesAt(other.node) > nowMs then
        if other.other == user.userId or user.other == otherId then
          parted = parted or other
        elseif #allowed < drawnFrom then
          allowed[#allowed + 1] = other
        end
      elseif not other and otherId ~= user.userId then
        ghosts = ghosts or {}
        ghosts[#ghosts + 1] = otherId
      end
    end
    if #allowed > 0 or #oldest < 10 then break end
  end
  if ghosts then redis.call('ZREM', queueKey, unpack(ghosts)) end
  if #allowed == 0 then return parted end
  local drawn = allowed[random % #allowed + 1]
  random = random * 16807 % 2147483647
  return drawn
end
