-- TAKE   KEYS={epoch key, tag...}   ARGV={fresh random, clean_ttl_ms, quarantine_ms}   -> {id, storable 0|1, state...}
-- The miss path, before the query: reads, prunes what is over, creates what is absent, the epoch too. The entry stores id and states.
-- storable = every tag is clean and the epoch is older than the quarantine (>= the longest TTL any writer of this namespace marks
-- with). One fill, one epoch: if a second TAKE of the same fill answers another id, nothing is stored.
-- A tag: absent | c<version> with a TTL | p<base>;<token>,<deadline ms, 0 = sticky>;... without one.
-- A version is always 41 characters: 24 random ones, '-', 16 digits of µs. All tags made by one TAKE share it: a version is compared
-- only with what its own tag had before.
local id, _, created = ensure_epoch(KEYS[1], ARGV[1], false)
local fresh = ARGV[1] .. '-' .. moment                             -- executed twice, it is another version each time
local storable = 1
if now - created < tonumber(ARGV[3]) then storable = 0 end
local out = {id, storable}
for i = 2, #KEYS do
  local k = KEYS[i]
  local s = state_of(k)
  local base, tokens = string.match(s or '', '^p([^;]*);(.*)$')
  if base then
    local rest = ''
    for token, deadline in string.gmatch(tokens, '([^,;]+),(%d+);') do
      if deadline == '0' or tonumber(deadline) > now then rest = rest .. token .. ',' .. deadline .. ';' end
    end
    if rest == '' then s = false
    elseif rest ~= tokens then s = 'p' .. fresh .. ';' .. rest; redis.call('SET', k, s) end        -- one is over: a new base
  elseif s and not (#s == 42 and string.sub(s, 1, 1) == 'c') then s = false                        -- not ours: as if it were absent
  elseif s and redis.call('PTTL', k) < tonumber(ARGV[2]) / 2 then
    redis.call('PEXPIRE', k, ARGV[2])
  end
  if not s then s = 'c' .. fresh; redis.call('SET', k, s, 'PX', ARGV[2]) end
  if string.sub(s, 1, 1) ~= 'c' then out[2] = 0 end
  out[i + 1] = s
end
return out
