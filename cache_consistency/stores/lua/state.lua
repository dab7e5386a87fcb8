-- STATE: put in front of mark.lua, resolve.lua and take.lua by the loader. What stands under a tag: its text, or false if it is absent.
-- A value that is no string is none of ours, and counts as absent: refused, it would keep every debt of its table unpaid for ever.
local function state_of(key)
  local state = redis.pcall('GET', key)
  if type(state) ~= 'table' then return state end
  if not string.find(state.err or '', 'WRONGTYPE', 1, true) then return redis.call('GET', key) end          -- raises
  return false
end
