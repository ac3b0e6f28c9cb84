-- Charges on one limit and their return (tally.rs). A bucket counts in `scale` parts of a unit,
-- of which `rate` come back each millisecond; charges of a sliding window stand in a list, their sum in the meter.

local DAY = 86400000
local TRAVEL = 500
-- A debt of a bucket stays below this.
local MOST_DEBT = 4294967296
local MOST_SCALED = 4503599627370496

-- Sets what follows from the limit: the fraction rate / scale is amount / per in lowest terms, or a little less
-- where those would pass 2^52.
local function shape(meter)
  meter.cap = meter.burst or meter.amount
  if meter.kind == 'b' then
    local common = gcd(meter.amount, meter.per)
    meter.rate, meter.scale = meter.amount / common, meter.per / common
    if (meter.cap + MOST_DEBT) * meter.scale > MOST_SCALED then
      meter.scale = math.max(1, math.floor(MOST_SCALED / (meter.cap + MOST_DEBT)))
      meter.rate = math.max(0, math.floor(meter.amount / meter.per * meter.scale) - 1)
    end
  end
end

local function travel(meter)
  return math.min(TRAVEL, div(meter.per, 60))
end

local function month_days(year, month)
  if month <= 2 then
    year = year - 1
  end
  local era = div(year, 400)
  local of_era = year - era * 400
  local from_march = month > 2 and month - 3 or month + 9
  local day = div(153 * from_march + 2, 5)
  return era * 146097 + of_era * 365 + div(of_era, 4) - div(of_era, 100) + day - 719468
end

-- Starts of days of a named zone, as the caller or an earlier one gave them; nil for a zone that none gave.
local known_days = {}
local function days_of(zone)
  if known_days[zone] == nil then
    local text = redis.call('HGET', DAYS, zone)
    local given = type(args.days) == 'table' and args.days[zone]
    local new = given and table.concat(given, ' ')
    if new and new ~= text then
      redis.call('HSET', DAYS, zone, new)
    end
    local days = {}
    for day in string.gmatch(new or text or '', '%S+') do
      days[#days + 1] = tonumber(day)
    end
    known_days[zone] = #days > 1 and days or false
  end
  return known_days[zone]
end

-- Start and end of the day of a named zone; beyond the days that are known each has 24 hours.
local function day_of(zone, at)
  local days = days_of(zone)
  if not days then
    local start = div(at, DAY) * DAY
    return start, start + DAY
  end
  for place = 1, #days - 1 do
    if at >= days[place] and at < days[place + 1] then
      return days[place], days[place + 1]
    end
  end
  local nearest = at < days[1] and days[1] or days[#days]
  local start = nearest + div(at - nearest, DAY) * DAY
  return start, start + DAY
end

-- Start and end of the period that holds a time; a day has an offset in minutes or the name of a zone.
local function period(kind, zone, at)
  if kind == 'd' and type(zone) == 'string' then
    return day_of(zone, at)
  elseif kind == 'd' then
    local offset = zone * 60000
    local start = div(at + offset, DAY) * DAY - offset
    return start, start + DAY
  end
  local shifted = div(at, DAY) + 719468
  local era = div(shifted, 146097)
  local of_era = shifted - era * 146097
  local year = div(of_era - div(of_era, 1460) + div(of_era, 36524) - div(of_era, 146096), 365)
  local day = of_era - (365 * year + div(year, 4) - div(year, 100))
  local from_march = div(5 * day + 2, 153)
  local month = from_march < 10 and from_march + 3 or from_march - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  local next_year, next_month = year, month + 1
  if month == 12 then
    next_year, next_month = year + 1, 1
  end
  return month_days(year, month) * DAY, month_days(next_year, next_month) * DAY
end

local function begin_full(meter, at)
  if meter.kind == 'b' then
    meter.level, meter.at, meter.full = meter.cap * meter.scale, at, at
  elseif meter.kind == 's' then
    meter.sum, meter.count, meter.gone = 0, 0, 0
  elseif meter.kind ~= 'h' then
    meter.used, meter.since = 0, (period(meter.kind, meter.per, at))
  end
end

local function entry(text)
  local mark = string.find(text, ':', 1, true)
  return tonumber(string.sub(text, 1, mark - 1)), tonumber(string.sub(text, mark + 1))
end

-- Drops the oldest entries of a list for which `old` holds; returns the sum of the dropped, their number, and the
-- time of the first that stays.
local function drop_old(key, old)
  local sum, dropped = 0, 0
  while true do
    local chunk = redis.call('LRANGE', key, dropped, dropped + 31)
    for _, text in ipairs(chunk) do
      local at, amount = entry(text)
      if not old(at) then
        redis.call('LTRIM', key, dropped, -1)
        return sum, dropped, at
      end
      sum, dropped = sum + amount, dropped + 1
    end
    if #chunk < 32 then
      redis.call('DEL', key)
      return sum, dropped, nil
    end
  end
end

local function advance(group, meter, at)
  if meter.kind == 'b' then
    local missing = meter.cap * meter.scale - meter.level
    local elapsed = math.max(0, at - meter.at)
    local wait = 0
    if missing > 0 then
      wait = meter.rate > 0 and ceiling(missing, meter.rate) or math.huge
    end
    if elapsed >= wait then
      meter.full, meter.level = math.max(meter.full, math.min(meter.at + wait, at)), meter.cap * meter.scale
    else
      meter.level = meter.level + meter.rate * elapsed
    end
    meter.at = math.max(meter.at, at)
  elseif meter.kind == 's' then
    local start = at - meter.per - travel(meter)
    if meter.count > 0 and meter.first <= start then
      local sum, dropped, first = drop_old(list_key(group.id, meter, 'charges'), function(time) return time <= start end)
      meter.sum, meter.count, meter.first = meter.sum - sum, meter.count - dropped, first
      meter.gone = meter.gone + sum
      group.dirty = true
    end
  elseif meter.kind ~= 'h' then
    local start = period(meter.kind, meter.per, at)
    if start > meter.since then
      meter.used, meter.since = 0, start
    end
  end
end

-- Amount left as of the last advance; below zero when in debt.
local function tally_room(meter)
  if meter.kind == 'b' then
    return div(meter.level, meter.scale)
  elseif meter.kind == 's' then
    return meter.cap - meter.sum
  elseif meter.kind == 'h' then
    return meter.cap
  end
  return meter.cap - meter.used
end

-- Amount left at a later time if nothing is charged until then. Call after advance.
local function tally_projected(group, meter, at, later)
  if meter.kind == 'b' then
    local cap, elapsed = meter.cap * meter.scale, math.max(0, later - meter.at)
    local missing = cap - meter.level
    local wait = missing <= 0 and 0 or meter.rate > 0 and ceiling(missing, meter.rate) or math.huge
    return div(elapsed >= wait and cap or meter.level + meter.rate * elapsed, meter.scale)
  elseif meter.kind == 's' then
    local key, start, room, from = list_key(group.id, meter, 'charges'), later - meter.per - travel(meter), tally_room(meter), 0
    while from < meter.count do
      for _, text in ipairs(redis.call('LRANGE', key, from, from + 31)) do
        local time, amount = entry(text)
        if time > start then
          return room
        end
        room = room + amount
      end
      from = from + 32
    end
    return room
  elseif meter.kind ~= 'h' then
    local _, last = period(meter.kind, meter.per, at)
    return later >= last and meter.cap or tally_room(meter)
  end
  return meter.cap
end

-- The earliest instant at which `need` is there, if time alone brings it.
local function tally_earliest(group, meter, at, need)
  local room = tally_room(meter)
  if room >= need then
    return at
  elseif need > meter.cap or meter.kind == 'h' then
    return nil
  elseif meter.kind == 'b' then
    local from = math.max(at, meter.at)
    return meter.rate > 0 and from + ceiling(math.max(0, need * meter.scale - meter.level), meter.rate) or nil
  elseif meter.kind == 's' then
    local key, from = list_key(group.id, meter, 'charges'), 0
    while from < meter.count do
      for _, text in ipairs(redis.call('LRANGE', key, from, from + 31)) do
        local time, amount = entry(text)
        room = room + amount
        if room >= need then
          return time + meter.per + travel(meter)
        end
      end
      from = from + 32
    end
    return nil
  end
  local _, last = period(meter.kind, meter.per, at)
  return last
end

-- Time at which every charge has come back; nil for slots. Call after advance.
local function tally_full_at(group, meter, at)
  if meter.kind == 'b' then
    return tally_earliest(group, meter, at, meter.cap)
  elseif meter.kind == 's' then
    return meter.count > 0 and meter.last + meter.per + travel(meter) or at
  elseif meter.kind ~= 'h' then
    local _, last = period(meter.kind, meter.per, at)
    return meter.used == 0 and at or last
  end
end

-- Time from which a bucket that is charged now comes back.
local function begins_to_refill(meter, at)
  local missing, from = meter.cap * meter.scale - meter.level, math.max(meter.at, at)
  if meter.rate <= 0 then
    return meter.at
  end
  local until_full = math.max(0, from + ceiling(math.max(0, missing), meter.rate) - at)
  if until_full < travel(meter) then
    return from + travel(meter) - until_full
  end
  return meter.at
end

local function tally_charge(group, meter, at, amount)
  advance(group, meter, at)
  if meter.kind == 'b' then
    if amount > 0 then
      meter.at = begins_to_refill(meter, at)
    end
    meter.level = meter.level - amount * meter.scale
  elseif meter.kind == 's' and amount > 0 then
    local key = list_key(group.id, meter, 'charges')
    if meter.count > 0 and meter.last == at then
      local _, before = entry(redis.call('LINDEX', key, -1))
      redis.call('LSET', key, -1, string.format('%.0f:%.0f', at, before + amount))
    else
      redis.call('RPUSH', key, string.format('%.0f:%.0f', at, amount))
      if meter.count == 0 then
        meter.first = at
      end
      meter.count, meter.last = meter.count + 1, at
    end
    meter.sum = meter.sum + amount
  elseif meter.kind == 'd' or meter.kind == 'm' then
    meter.used = meter.used + amount
  end
end

-- Takes an amount out of the charges: those made until `charged_at`, newest first, or without it the oldest first.
local function take_out(group, meter, charged_at, amount)
  local key, place, step, emptied = list_key(group.id, meter, 'charges'), charged_at and -1 or 0, charged_at and -1 or 1, 0
  for _ = 1, meter.count do
    if amount <= 0 then
      break
    end
    local at, charge = entry(redis.call('LINDEX', key, place))
    if not charged_at or at <= charged_at then
      local taken = math.min(amount, charge)
      amount, meter.sum = amount - taken, meter.sum - taken
      if taken == charge then
        redis.call('LSET', key, place, 'gone')
        emptied = emptied + 1
      else
        redis.call('LSET', key, place, string.format('%.0f:%.0f', at, charge - taken))
      end
    end
    place = place + step
  end
  if emptied > 0 then
    redis.call('LREM', key, 0, 'gone')
    meter.count = meter.count - emptied
    meter.first, meter.last = nil, nil
    if meter.count > 0 then
      meter.first = entry(redis.call('LINDEX', key, 0))
      meter.last = entry(redis.call('LINDEX', key, -1))
    end
  end
end

local function tally_correct(group, meter, at, charged_at, more)
  advance(group, meter, at)
  if more >= 0 then
    return tally_charge(group, meter, at, more)
  elseif meter.kind == 'b' then
    if charged_at >= meter.full then
      meter.level = meter.level - more * meter.scale
    end
  elseif meter.kind == 's' then
    take_out(group, meter, charged_at, -more)
  elseif meter.kind ~= 'h' and charged_at >= meter.since then
    meter.used = math.max(0, meter.used + more)
  end
  advance(group, meter, at)
end

local function set_room(group, meter, at, room)
  advance(group, meter, at)
  room = math.min(room, meter.cap)
  local surplus = tally_room(meter) - room
  if meter.kind == 'b' then
    -- A fraction of a unit that came back already is kept.
    if surplus ~= 0 then
      meter.level = room * meter.scale
    end
  elseif meter.kind == 's' and surplus < 0 then
    take_out(group, meter, nil, -surplus)
  elseif meter.kind == 's' then
    tally_charge(group, meter, at, surplus)
  elseif meter.kind ~= 'h' then
    meter.used = meter.cap - room
  end
end
