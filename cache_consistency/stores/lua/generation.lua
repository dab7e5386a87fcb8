-- GENERATION: put in front of ensure_epoch.lua and take.lua by the loader. Which past does this server know? A process that
-- started again has another run_id, a replica that was promoted has another master_replid. Read inside the script, so that
-- nobody can pass on an observation that is out of date. Needs Redis >= 6.2 (or a fork with INFO in scripts) and ACL +info +time.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local moment = t[1] .. string.format('%06d', t[2])                 -- µs, 16 digits

local function generation()                                        -- about 20 us
  local replication = redis.call('INFO', 'replication')
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  local replid = string.match(replication, 'master_replid:(%w+)')
  if not run_id or not replid then error('NOGENERATION this server does not say who it is') end
  if string.match(replication, 'role:(%w+)') ~= 'master' then error('NOTMASTER tags are read on the master only') end
  return string.sub(redis.sha1hex(run_id .. replid), 1, 16)
end

-- An id is 24 characters, 96 bits, and no execution repeats another's: it hangs on the caller's random and on the moment.
local function fresh_id(random)
  return string.sub(redis.sha1hex(random .. moment), 1, 24)
end

-- The epoch is `<id>:<generation>:<created ms>` and has no TTL. Made anew if it is absent or unreadable; and, with `compare`, if it
-- is from another generation.
local function ensure_epoch(key, random, compare)
  local id, its_generation, created = string.match(redis.call('GET', key) or '', '^(%w+):(%w+):(%d+)$')
  if not id or #id ~= 24 or compare then
    local g = generation()
    if not id or #id ~= 24 or its_generation ~= g then
      id, its_generation, created = fresh_id(random), g, string.format('%.0f', now)
      redis.call('SET', key, id .. ':' .. g .. ':' .. created)
    end
  end
  return id, its_generation, tonumber(created)
end
