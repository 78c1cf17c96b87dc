-- Whom a user is paired with: what search-partner.lua puts before its own lines, behind sessions.lua.
-- KEYS and ARGV[1], [2]: see registry.lua

-- One of the longest-waiting eight, drawn by a random integer; the partner of the last session only if nobody else waits.
-- Users of lapsed nodes keep their place, for their nodes may come back; 64 rounds pass over far more than there are.
local function draw(user, random)
  local allowed, drawnFrom, parted = {}, 8, nil
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
      end
    end
    if #allowed > 0 or #oldest < 10 then break end
  end
  return allowed[random % math.max(#allowed, 1) + 1] or parted
end
