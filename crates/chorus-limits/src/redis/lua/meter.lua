-- One limit of a group (meter.rs): its charges, reservations, and correction by headers.

local PROMPT = 5000
local OVERTAKEN = 2000
local SHOWN_BACK = 300000

local function charged_room(group, meter, at)
  advance(group, meter, at)
  return tally_room(meter)
end

local function meter_room(group, meter, at)
  return charged_room(group, meter, at) - meter.held
end

-- Reads a limit from its text: dimension:amount:burst:window:length:reserve:cache_read_percent:output_weight.
local function read_limit(text)
  local part = split(text, ':')
  local meter = { text = text, dim = part[1], amount = tonumber(part[2]), burst = tonumber(part[3]), kind = part[4] }
  meter.per, meter.reserve, meter.percent, meter.weight = tonumber(part[5]) or part[5], part[6], tonumber(part[7]), tonumber(part[8])
  meter.configured, meter.held, meter.recent = meter.amount, 0, 0
  shape(meter)
  return meter
end

local function begin(group, text, at, empty)
  local meter = read_limit(text)
  group.made = group.made + 1
  meter.id = group.made
  begin_full(meter, at)
  if empty and (meter.kind == 'b' or meter.kind == 's') then
    set_room(group, meter, at, 0)
  end
  meter.source, meter.source_at = 'configured', at
  return meter
end

local function learned_from(meter, source, at)
  meter.source, meter.source_at = source, at
end

local function drop_lists(group, meter)
  redis.call('DEL', list_key(group.id, meter, 'charges'), list_key(group.id, meter, 'recent'))
end

-- Takes another amount; what is left stays what it was.
local function change_amount(group, meter, at, amount, burst)
  local room = charged_room(group, meter, at)
  local cap = burst or amount
  local full = meter.kind == 'b' and meter.level >= cap * meter.scale
  local fraction, scale = meter.kind == 'b' and meter.level - room * meter.scale or 0, meter.scale
  meter.amount, meter.burst = amount, burst
  shape(meter)
  if full then
    -- A charge that is still on its way moved the meter's time ahead.
    meter.full = math.max(meter.full, math.min(meter.at, at))
  end
  if meter.kind == 'b' then
    meter.level = room * meter.scale + div(fraction * meter.scale, scale)
  end
  set_room(group, meter, at, room)
end

-- A meter of a new configuration keeps the reservations, and the charges if its window is the same.
local function reconfigured(group, old, text, at)
  local new = read_limit(text)
  if old.kind == new.kind and old.per == new.per then
    change_amount(group, old, at, new.amount, new.burst)
    old.text, old.configured, old.dim = text, new.amount, new.dim
    old.reserve, old.percent, old.weight = new.reserve, new.percent, new.weight
    return old
  end
  drop_lists(group, old)
  local fresh = begin(group, text, at, false)
  fresh.held = old.held
  return fresh
end

-- Prompt tokens that count before the call: those of the cache by their share.
local function counted_input(meter, estimate)
  if meter.reserve == 'i' then
    return estimate.input
  end
  local cached = math.min(estimate.cached or 0, estimate.input)
  return estimate.input - math.floor(cached * math.max(0, 100 - meter.percent) / 100)
end

local function reserved_for(meter, estimate)
  local output = estimate.max
  if meter.reserve == 'e' then
    output = estimate.p90
  elseif meter.reserve == 'p' then
    output = estimate.p50
  end
  if meter.dim == 'q' or meter.dim == 'c' then
    return 1
  elseif meter.dim == 'i' then
    return meter.reserve == 'i' and estimate.input + estimate.max or counted_input(meter, estimate)
  elseif meter.dim == 'o' then
    return output
  elseif meter.dim == 't' then
    return meter.reserve == 'm' and math.max(estimate.input, estimate.max) or counted_input(meter, estimate) + output
  end
  return estimate.cost
end

local function charged_for(meter, usage, cost)
  local input = usage.input + usage.write + math.floor(usage.read * meter.percent / 100)
  local output = usage.output * meter.weight
  if meter.dim == 'q' or meter.dim == 'c' then
    return 1
  elseif meter.dim == 'i' then
    return input
  elseif meter.dim == 'o' then
    return output
  elseif meter.dim == 't' then
    return input + output
  end
  return cost
end

local function certain_part(meter, estimate)
  local guessed = meter.reserve == 'e' or meter.reserve == 'p'
  if meter.dim == 'o' and guessed then
    return 0
  elseif meter.dim == 't' and guessed then
    return counted_input(meter, estimate)
  end
  return reserved_for(meter, estimate)
end

local function need_of(meter, estimate)
  return math.min(reserved_for(meter, estimate), math.max(meter.cap, certain_part(meter, estimate)))
end

local function charged_when_sent(meter)
  if meter.dim == 'q' or meter.dim == 'i' then
    return true
  end
  return (meter.dim == 'o' or meter.dim == 't') and (meter.reserve == 'i' or meter.reserve == 'm')
end

-- Amount that a call leaves free.
local function floor_of(meter, need, floor)
  return math.max(0, math.min(div(meter.cap * floor + 999, 1000), meter.cap - need))
end

local function earliest(group, meter, at, need, floor, booked)
  advance(group, meter, at)
  return tally_earliest(group, meter, at, need + math.max(floor_of(meter, need, floor), booked) + meter.held)
end

local function projected(group, meter, at, later)
  return tally_projected(group, meter, at, later) - meter.held
end

local function hold(meter, amount)
  meter.held = meter.held + amount
end

-- Turns a reservation into a charge of the amount used.
local function charge(group, meter, at, set_aside, used)
  meter.held = meter.held - set_aside
  if used <= 0 or meter.kind == 'h' then
    return
  end
  tally_charge(group, meter, at, used)
  local key = list_key(group.id, meter, 'recent')
  if meter.recent > 0 and meter.recent_first + SHOWN_BACK < at then
    local _, dropped, first = drop_old(key, function(time) return time + SHOWN_BACK < at end)
    meter.recent, meter.recent_first = meter.recent - dropped, first
  end
  redis.call('RPUSH', key, string.format('%.0f:%.0f', at, used))
  if meter.recent == 0 then
    meter.recent_first = at
  end
  meter.recent = meter.recent + 1
  if meter.source == 'configured' then
    learned_from(meter, 'own', at)
  end
end

-- Corrects an earlier charge, unless a header has shown it since: the header knew the truth.
local function correct(group, meter, at, charged_at, more)
  if not meter.shown or meter.shown < charged_at then
    tally_correct(group, meter, at, charged_at, more)
  end
end

-- Charges after `sent_at`, which a header of a request of that time need not show, and charges of other calls that
-- may have been under way before it.
local function unseen_at(group, meter, sent_at)
  local key, seen, after, before, smallest = list_key(group.id, meter, 'recent'), 0, 0, 0, nil
  local since = charged_when_sent(meter) and sent_at - OVERTAKEN or sent_at
  while seen < meter.recent do
    local chunk = redis.call('LRANGE', key, -seen - 32, -seen - 1)
    for place = #chunk, 1, -1 do
      local at, amount = entry(chunk[place])
      if at <= since then
        return after, before - (smallest or 0)
      elseif at > sent_at then
        after = after + amount
      else
        before, smallest = before + amount, math.min(smallest or amount, amount)
      end
    end
    seen = seen + 32
  end
  return after, before - (smallest or 0)
end

-- Amount that came back between a request and now.
local function returned(group, meter, at, sent_at)
  if meter.kind == 'b' then
    return div(meter.rate * math.max(0, at - sent_at), meter.scale)
  elseif meter.kind ~= 's' then
    return 0
  end
  local length, sum, seen = meter.per + travel(meter), 0, 0
  while seen < meter.recent do
    local chunk = redis.call('LRANGE', list_key(group.id, meter, 'recent'), seen, seen + 31)
    for _, text in ipairs(chunk) do
      local time, amount = entry(text)
      if time > at - length then
        return sum
      elseif time > sent_at - length then
        sum = sum + amount
      end
    end
    seen = seen + 32
  end
  return sum
end

-- True if a calendar period began after the request.
local function is_of_earlier_period(meter, at, sent_at)
  return (meter.kind == 'd' or meter.kind == 'm') and sent_at < period(meter.kind, meter.per, at)
end

local function scaled_burst(meter, amount)
  if not meter.burst then
    return nil
  end
  local from = math.max(meter.amount, 1)
  local whole = div(meter.burst, from)
  return whole * amount + math.floor((meter.burst - whole * from) * amount / from)
end

local function observe_level(group, meter, at, sent_at, shown_level)
  if meter.kind == 'h' then
    return
  end
  if shown_level.limit ~= NONE and shown_level.limit > 0 then
    if shown_level.limit ~= meter.amount then
      change_amount(group, meter, at, shown_level.limit, scaled_burst(meter, shown_level.limit))
    end
    learned_from(meter, 'header', at)
  end
  if shown_level.remaining == NONE or (meter.shown and sent_at < meter.shown) or sent_at + SHOWN_BACK < at
    or is_of_earlier_period(meter, at, sent_at) then
    return
  end
  local shown = shown_level.remaining - div(shown_level.rounded, 2)
  local unseen, overtaken = unseen_at(group, meter, sent_at)
  local least, most = shown - unseen - overtaken, shown + returned(group, meter, at, sent_at)
  if at - sent_at <= PROMPT then
    most = most - unseen
  end
  local known = charged_room(group, meter, at)
  local room = math.min(math.max(known, least), math.max(most, least))
  if room ~= known then
    set_room(group, meter, at, room)
  end
  meter.shown = sent_at
  learned_from(meter, 'header', at)
end
