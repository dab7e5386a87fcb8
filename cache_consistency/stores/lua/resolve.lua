-- RESOLVE   KEYS=tags   ARGV={token, fresh random, clean_ttl_ms, kept}   -> in how many of the tags the token still stood
-- Drops the token; every tag gets the new version, also one that was never marked (exact tags learned from RETURNING); an absent tag
-- stays absent. The last `kept` KEYS are coarse tags whose version may stand: only by the writer itself, only when it knows the
-- outcome, only in the one call that bumps all exact tags of the statement (or, with `kept` = all, when the server said it failed).
-- If the token is no longer there, a kept tag is bumped after all. Recovery and retries call it with kept = 0.
-- Fewer tags than were marked, in the same epoch and before the deadline: somebody evicts or deletes marks; report it.
-- It must work while memory is full: what it writes is no longer than what it replaces, and a script that has begun with a DEL
-- may go on writing.
local t = redis.call('TIME')
local version = ARGV[2] .. '-' .. t[1] .. string.format('%06d', t[2])           -- executed twice, it is another version each time
local found, begun = 0, false
for i, k in ipairs(KEYS) do
  local s = state_of(k)
  if s then
    local base, tokens = string.match(s, '^p([^;]*);(.*)$')
    if not base then base, tokens = string.sub(s, 2), '' end
    local rest, mine = '', false
    for token, d in string.gmatch(tokens, '([^,;]+),(%d+);') do
      if token == ARGV[1] then mine = true else rest = rest .. token .. ',' .. d .. ';' end
    end
    if mine then found = found + 1 end
    if not mine or base == '' or i <= #KEYS - tonumber(ARGV[4]) then base = version end
    if not begun then redis.call('DEL', k); begun = true end
    if rest == '' then redis.call('SET', k, 'c' .. base, 'PX', ARGV[3]) else redis.call('SET', k, 'p' .. base .. ';' .. rest) end
  end
end
return found
