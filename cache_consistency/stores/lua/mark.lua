-- MARK   KEYS=tags   ARGV={token, ttl_ms | 0 = sticky, most tokens a tag may hold}   -> Redis time in ms
-- Before COMMIT, and before a bare autocommit statement. Idempotent: replaces the caller's own token with a later deadline.
-- The version stays as the base under the tokens: nobody is served while it is pending, and RESOLVE may let it stand. Does not
-- read the epoch: an epoch made after a loss is younger than every mark that was lost.
-- All or nothing: a tag that holds too many tokens fails the call before anything is written. Before it does, tokens that are over
-- are dropped there (a tag that nobody TAKEs would fill up with dead writers); the base goes with them, so the next version is new.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local deadline, most = tonumber(ARGV[2]), tonumber(ARGV[3])
if deadline > 0 then deadline = now + deadline end
local own = ARGV[1] .. ',' .. string.format('%.0f', deadline) .. ';'
local written = {}
for i, k in ipairs(KEYS) do
  local s = state_of(k) or 'c'                                             -- absent: no version yet
  local base, tokens = string.match(s, '^p([^;]*);(.*)$')
  if not base then base, tokens = string.sub(s, 2), '' end
  local all, count, alive, living = '', 1, '', 1
  for token, d in string.gmatch(tokens, '([^,;]+),(%d+);') do
    if token ~= ARGV[1] then
      local text = token .. ',' .. d .. ';'
      all, count = all .. text, count + 1
      if d == '0' or tonumber(d) > now then alive, living = alive .. text, living + 1 end
    end
  end
  if count > most then base, all, count = '', alive, living end
  if count > most then return redis.error_reply('TOOMANYTOKENS a tag already has ' .. most .. ' writers') end
  written[i] = 'p' .. base .. ';' .. all .. own
end
for i, k in ipairs(KEYS) do redis.call('SET', k, written[i]) end            -- SET drops the TTL
return now
