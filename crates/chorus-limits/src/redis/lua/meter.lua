-- One limit of a group (meter.rs): its charges, reservations, and correction by headers.

local PROMPT = 5000
local OVERTAKEN = 2000
local SHOWN_BACK = 300000
-- A learned rate (learned.rs).
local CUT, HOLD, EASED, LOWEST, MOST_STEPS = 4000, 10000, 1000, 50, 900
-- Divisor of a call's need that stays free while a rate is learned.
local MARGIN = 20

local function charged_room(group, meter, at)
  advance(group, meter, at)
  return tally_room(meter)
end

local function meter_room(group, meter, at)
  return charged_room(group, meter, at) - meter.held
end

-- Sums of all calls that were sent: their number, their charges, what they set aside, what of that is charged only
-- when they end, and the charges at two earlier times.
local function no_sums(meter)
  meter.number, meter.charged, meter.sent, meter.running, meter.older, meter.newer, meter.newer_at = 0, 0, 0, 0, 0, 0, 0
end

-- Reads a limit from its text: dimension:amount:burst:window:length:reserve:cache_read_percent:output_weight.
local function read_limit(text)
  local part = split(text, ':')
  local meter = { text = text, dim = part[1], amount = tonumber(part[2]), burst = tonumber(part[3]), kind = part[4] }
  meter.per, meter.reserve, meter.percent, meter.weight = tonumber(part[5]) or part[5], part[6], tonumber(part[7]), tonumber(part[8])
  meter.configured, meter.configured_burst, meter.base, meter.held = meter.amount, meter.burst, meter.amount, 0
  no_sums(meter)
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
  redis.call('DEL', list_key(group.id, meter, 'charges'))
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
    old.text, old.configured, old.configured_burst, old.dim = text, new.amount, new.burst, new.dim
    old.base, old.learned = new.amount, nil
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

-- Burst that goes with an amount, in the proportion of the configuration.
local function burst_of(meter, amount)
  if not meter.configured_burst then
    return nil
  end
  local from = math.max(meter.configured, 1)
  local whole = div(meter.configured_burst, from)
  return whole * amount + math.floor((meter.configured_burst - whole * from) * amount / from)
end

-- Amount that a call needs; one that is larger than a learned limit takes all of it.
local function need_of(meter, estimate)
  local need = math.min(reserved_for(meter, estimate), math.max(meter.cap, certain_part(meter, estimate)))
  if meter.learned and need <= (burst_of(meter, meter.base) or meter.base) then
    return math.min(need, meter.cap)
  end
  return need
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
  local free = math.max(floor_of(meter, need, floor), booked)
  if meter.learned and meter.shown then
    free = math.max(free, math.min(cut(need, MARGIN), meter.cap - need))
  end
  return tally_earliest(group, meter, at, need + free + meter.held)
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
  meter.charged = meter.charged + used
  if meter.source == 'configured' then
    learned_from(meter, 'own', at)
  end
end

-- Counts a call as sent, after it was charged what is charged then; returns the sums at that time.
local function sent(group, meter, at, set_aside)
  advance(group, meter, at)
  local at_once = charged_when_sent(meter)
  local before = meter.charged - (at_once and set_aside or 0)
  if not meter.last_at or at - meter.last_at >= OVERTAKEN then
    meter.older, meter.newer, meter.newer_at = before, before, at
  elseif at - meter.newer_at >= OVERTAKEN then
    meter.older, meter.newer, meter.newer_at = meter.newer, before, at
  end
  meter.last_at, meter.number, meter.sent = at, meter.number + 1, meter.sent + set_aside
  meter.running = meter.running + (at_once and 0 or set_aside)
  return {
    number = meter.number, charged = meter.charged, sent = meter.sent, gone = meter.gone or 0,
    overtaken = at_once and before - meter.older or 0,
  }
end

-- Counts a call as no longer running that is charged when it ends.
local function ended(meter, set_aside)
  if not charged_when_sent(meter) then
    meter.running = meter.running - set_aside
  end
end

-- Corrects an earlier charge, unless a header has shown it since: the header knew the truth.
local function correct(group, meter, at, part, more)
  local shown = false
  if meter.shown and part.mark and charged_when_sent(meter) then
    shown = meter.shown_number >= part.mark.number
  elseif meter.shown then
    shown = meter.shown >= part.charged_at
  end
  if not shown then
    tally_correct(group, meter, at, part.charged_at, more)
  end
end

local function refilled(meter, time)
  return meter.kind == 'b' and div(meter.rate * time, meter.scale) or 0
end

-- Amount that came back since a request of this age.
local function returned(meter, mark, age)
  if meter.kind == 's' then
    return mark and meter.gone - mark.gone or meter.cap
  end
  return refilled(meter, age)
end

-- True if a calendar period began after the request.
local function is_of_earlier_period(meter, at, sent_at)
  return (meter.kind == 'd' or meter.kind == 'm') and sent_at < period(meter.kind, meter.per, at)
end

local function resize(group, meter, at, amount)
  if amount ~= meter.amount then
    change_amount(group, meter, at, amount, burst_of(meter, amount))
  end
end

-- Notes the amount that a provider tells; true if it is another one.
local function told(group, meter, at, amount)
  learned_from(meter, 'header', at)
  if amount == meter.base then
    return false
  end
  meter.base, meter.learned = amount, nil
  resize(group, meter, at, amount)
  return true
end

-- Share of an amount that is in force.
local function learned_amount(rate, amount)
  local whole = div(amount, 1000)
  return math.max(1, whole * rate.permille + div((amount - whole * 1000) * rate.permille, 1000))
end

local function lower_rate(group, meter, at)
  local rate = meter.learned
  if rate and math.max(0, at - rate.cut_at) < CUT then
    return
  end
  local bound = rate and rate.permille or 1000
  meter.learned = { permille = math.max(LOWEST, div(bound * 7, 10)), bound = bound, cut_at = at, raised_at = at + HOLD }
  resize(group, meter, at, learned_amount(meter.learned, meter.base))
  learned_from(meter, 'refusal', at)
end

-- Lowers the rate a little after a header that shows less than was counted.
local function ease(group, meter, at)
  local rate = meter.learned
  if at + HOLD >= rate.raised_at + EASED then
    rate.bound, rate.permille = rate.permille, math.max(LOWEST, div(rate.permille * 96, 100))
    rate.raised_at = at + HOLD
  end
  resize(group, meter, at, learned_amount(rate, meter.base))
end

-- Raise of one second.
local function raise_step(rate)
  if rate.permille * 10 < rate.bound * 9 then
    return math.max(1, div(rate.bound, 100))
  elseif rate.permille * 10 < rate.bound * 11 then
    return 2
  end
  return math.max(2, div(rate.permille, 50))
end

-- Raises a lowered rate while no refusal comes.
local function raise_rate(group, meter, at)
  local rate = meter.learned
  local steps = rate and div(math.max(0, at - rate.raised_at), 1000) or 0
  if steps == 0 then
    return
  end
  rate.raised_at = rate.raised_at + steps * 1000
  local back = steps > MOST_STEPS
  for _ = 1, math.min(steps, MOST_STEPS) do
    rate.permille = rate.permille + raise_step(rate)
    if rate.permille >= 1000 then
      back = true
      break
    end
  end
  if back then
    meter.learned = nil
  end
  resize(group, meter, at, back and meter.base or learned_amount(rate, meter.base))
  group.dirty = true
end

-- The least and the most that can be left when a header has shown an amount.
local function possible(meter, at, asked_at, mark, shown)
  local age, at_once, later = math.max(0, at - asked_at), charged_when_sent(meter), 0
  local prompt = age <= PROMPT
  if mark and prompt then
    later = at_once and meter.charged - mark.charged or meter.sent - mark.sent - meter.running
  elseif not at_once then
    later = -meter.running
  end
  local most = shown - later + returned(meter, mark, age)
  if not mark or not (at_once or meter.reserve ~= 'p') then
    return -math.huge, most
  end
  local back = prompt and refilled(meter, math.max(0, age - TRAVEL)) or 0
  return shown - (meter.charged - mark.charged) - mark.overtaken + back, most
end

-- Clamps the level to the range that a header makes possible; true if the header tells another amount.
local function observe_level(group, meter, at, asked_at, mark, refused, shown_level)
  if meter.kind == 'h' then
    return false
  end
  local another = shown_level.limit ~= NONE and shown_level.limit > 0 and told(group, meter, at, shown_level.limit)
  if shown_level.remaining == NONE then
    return another
  end
  local older = false
  if meter.shown and mark then
    older = mark.number < meter.shown_number
  elseif meter.shown then
    older = asked_at < meter.shown
  end
  if older or asked_at + SHOWN_BACK < at or is_of_earlier_period(meter, at, asked_at) then
    return another
  end
  local known = charged_room(group, meter, at)
  local least, most = possible(meter, at, asked_at, mark, shown_level.remaining - div(shown_level.rounded, 2))
  most = most - refused
  if meter.learned and known > most then
    ease(group, meter, at)
  end
  local room = math.max(math.min(known, most), math.min(least, most))
  if room ~= known then
    set_room(group, meter, at, room)
  end
  meter.shown_number = math.max(mark and mark.number or 0, meter.shown_number or 0)
  meter.shown = math.max(meter.shown or asked_at, asked_at)
  learned_from(meter, 'header', at)
  return another
end
