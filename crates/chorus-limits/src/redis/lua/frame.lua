-- One operation on the shared ledger, atomic. Arithmetic follows src/ledger/*.rs line by line; every number is a
-- whole one below 2^53, which a double holds exactly.
--
-- KEYS[1] prefix of all keys; ARGV: operation, its arguments as JSON, time in milliseconds (empty: the server's), the server's run id.

local prefix, operation, args = KEYS[1], ARGV[1], cjson.decode(ARGV[2])
local now, server = tonumber(ARGV[3]), ARGV[4]
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local NONE = cjson.null
local REMEMBERED = 3600000
-- Leases that time may change in one run of this script; the caller asks again for the rest.
local MOST_DUE = 400

local GROUPS, LEASES, DUE = prefix .. ':groups', prefix .. ':leases', prefix .. ':due'
local LIFE, NAMES, MEMBERS, DAYS = prefix .. ':life', prefix .. ':names', prefix .. ':members', prefix .. ':days'

-- Server, token and beginning of the life of this state, and the level of rates that nothing is known of.
local life = redis.call('HMGET', LIFE, 'server', 'token', 'began', 'start')
local starts_empty = life[4] ~= 'full'

-- Groups and leases that were read in this run, what must be written, and which groups were freed or corrected.
local groups, leases, freed = {}, {}, {}

-- One entry of a hash, read once in a run; false when there is none.
local function load(known, hash, id)
  local one = known[id]
  if one == nil then
    local packed = redis.call('HGET', hash, id)
    one = packed and cmsgpack.unpack(packed) or false
    known[id] = one
  end
  return one
end

local function live_key(group)
  return prefix .. ':live:' .. group
end

local function list_key(group, meter, what)
  return prefix .. ':' .. what .. ':' .. group .. ':' .. meter.id
end

-- The floor of a / b for whole numbers, b above zero.
local function div(a, b)
  local quotient = math.floor(a / b)
  if quotient * b > a then
    return quotient - 1
  elseif (quotient + 1) * b <= a then
    return quotient + 1
  end
  return quotient
end

local function ceiling(a, b)
  return -div(-a, b)
end

-- a / b, cut towards zero.
local function cut(a, b)
  if a < 0 then
    return -div(-a, b)
  end
  return div(a, b)
end

local function gcd(a, b)
  while b > 0 do
    a, b = b, a % b
  end
  return a
end

local function split(text, mark)
  local parts = {}
  for part in string.gmatch(text, '[^' .. mark .. ']+') do
    parts[#parts + 1] = part
  end
  return parts
end

-- Order of texts by their bytes; that of `<` follows the locale of the server.
local function is_before(one, other)
  for place = 1, math.min(#one, #other) do
    local a, b = string.byte(one, place), string.byte(other, place)
    if a ~= b then
      return a < b
    end
  end
  return #one < #other
end
