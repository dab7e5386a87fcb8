-- ENSURE_EPOCH   KEYS={epoch key}   ARGV={fresh random, 'keep' | 'new'}   -> {id, age in ms, generation}
-- 'keep': the first command of every connection (after AUTH and SELECT), before anything else is sent on it; also a janitor's tick
--         where a proxy may hide a promotion. Idempotent. An error (replica, no INFO, timeout) makes the connection unusable.
-- 'new':  "invalidate everything". The creation time stays: the marks are intact, so no quarantine starts, and none that is
--         running ends. After a loss that the generation does not show (SWAPDB, an import, keys deleted by hand): DEL the key instead.
local id, g, created = ensure_epoch(KEYS[1], ARGV[1], true)
if ARGV[2] == 'new' and id ~= fresh_id(ARGV[1]) then
  id = fresh_id(ARGV[1])
  redis.call('SET', KEYS[1], id .. ':' .. g .. ':' .. string.format('%.0f', created))
end
return {id, now - created, g}
