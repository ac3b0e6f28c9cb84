-- One quota group (group.rs): its meters, which are asked and charged together, and its closure as a whole.

local REST, SPEND_REST = 1000, 60000
-- Time for which a booking stays without a renewal.
local BOOKING_LASTS = 5000
-- Time within which a second refusal that nothing explains lowers the rates, and most doublings of a closure.
local SUSPICION, MOST_DOUBLINGS = 30000, 2
-- Time after a refusal from which an accepted call ends the doubling of closures.
local CALM = 5000

-- A group as the previous release wrote it gets the fields that it lacks.
local function complete(group)
  if group and not group.dead then
    group.sent, group.dead = group.sent or group.flight, {}
  end
  if group and not group.bookings then
    group.bookings, group.waiting = {}, nil
    for _, meter in ipairs(group.meters) do
      meter.source, meter.source_at = 'own', now
      meter.base, meter.shown, meter.gone = meter.amount, nil, 0
      no_sums(meter)
    end
  end
  if group and group.closed and not group.closed_at then
    group.closed_at, group.closed_by = now, 'rate_window'
  end
  return group
end

local function load_group(id)
  return complete(load(groups, GROUPS, id))
end

local function load_groups(ids)
  if #ids > 0 then
    for place, packed in ipairs(redis.call('HMGET', GROUPS, unpack(ids))) do
      if groups[ids[place]] == nil then
        groups[ids[place]] = complete(packed and cmsgpack.unpack(packed) or false)
      end
    end
  end
end

local function nth_meter(meters, dim, nth)
  for _, meter in ipairs(meters) do
    if meter.dim == dim then
      if nth == 0 then
        return meter
      end
      nth = nth - 1
    end
  end
end

-- Text of a limit without its amounts.
local function text_without_amounts(text)
  local part = split(text, ':')
  table.remove(part, 3)
  table.remove(part, 2)
  return table.concat(part, ':')
end

local function new_group(id)
  return { id = id, made = 0, flight = 0, sent = 0, bookings = {}, dead = {}, meters = {} }
end

-- Applies a configuration; returns true if leases must be counted again, because more than amounts is new.
local function configure_group(id, config, at, began)
  local group = load_group(id)
  if group and group.config == config then
    return false
  end
  local known = group
  if not known then
    group = new_group(id)
    groups[id] = group
    redis.call('SADD', NAMES, id)
  end
  local meters, seen, kept = {}, {}, {}
  local reshaped = not known or #split(config, ';') ~= #group.meters
  for _, text in ipairs(split(config, ';')) do
    local dim = string.sub(text, 1, 1)
    local nth = seen[dim] or 0
    seen[dim] = nth + 1
    local old = nth_meter(group.meters, dim, nth)
    local meter
    local before = group.meters[#meters + 1]
    if not before or text_without_amounts(before.text) ~= text_without_amounts(text) then
      reshaped = true
    end
    if old and old.text == text then
      meter = old
    elseif old then
      meter = reconfigured(group, old, text, at)
    else
      meter = begin(group, text, (known or not starts_empty) and at or began, not known and starts_empty)
    end
    if old then
      kept[old] = true
    end
    meters[#meters + 1] = meter
  end
  for _, old in ipairs(group.meters) do
    if not kept[old] then
      drop_lists(group, old)
    end
  end
  group.meters, group.config, group.bookings, group.dirty = meters, config, {}, true
  return reshaped
end

local function ramp_cap(group)
  return math.floor(group.ramp / 1000)
end

-- Answer of a call that waits for a slot: those of a process that ended come first.
local function when_freed(group, why)
  local till
  for _, one in pairs(group.dead) do
    till = math.min(till or one, one)
  end
  if till then
    return 'freed', till, { kind = 'dead' }
  end
  return 'freed', nil, why
end

-- Bookings that a call must heed (booking.rs): all ahead of its own, of interactive calls only where a person waits.
local function ahead_of(group, lease, interactive)
  local heeded = {}
  for _, one in ipairs(group.bookings) do
    if one.lease == lease then
      break
    elseif one.till > now and (one.interactive or not interactive) then
      heeded[#heeded + 1] = one
    end
  end
  return heeded
end

local function obstacle_kind(booking)
  return booking.interactive and 'interactive' or 'booked'
end

local function due_of(booking)
  return math.max(booking.at or now, now)
end

-- Amount of one limit that a call must leave, with the booking that needs it last.
local function left_for(group, meter, place, heeded, need)
  local left, cause = 0, nil
  for _, booking in ipairs(heeded) do
    local due, booked = due_of(booking), 0
    for _, one in ipairs(heeded) do
      if due_of(one) <= due then
        booked = booked + (one.needs[place] or 0)
      end
    end
    if booked > left and projected(group, meter, now, due) - need < booked then
      left, cause = booked, booking
    end
  end
  return left, cause
end

-- Fit of a call beside these bookings, at the end of `lapsed` at the earliest.
local function fit_beside(group, estimate, floor, heeded, lapsed)
  local at, why, waits = now, nil, nil
  if group.closed and group.closed > now then
    at, why = group.closed, { kind = 'closed', class = group.closed_by, since = group.closed_at }
  end
  if lapsed and lapsed.till > at then
    at, why = lapsed.till, { kind = obstacle_kind(lapsed) }
  end
  local headroom = 9007199254740991
  if group.ramp ~= nil and group.flight >= ramp_cap(group) then
    waits = { kind = 'flight' }
  elseif group.ramp ~= nil and heeded[1] and group.flight + #heeded >= ramp_cap(group) then
    waits = { kind = obstacle_kind(heeded[1]) }
  end
  for place, meter in ipairs(group.meters) do
    raise_rate(group, meter, now)
    local need = need_of(meter, estimate)
    if need > meter.cap then
      return 'never', meter.dim
    end
    local room = meter_room(group, meter, now)
    local booked, cause = left_for(group, meter, place, heeded, need)
    local kind = cause and { kind = obstacle_kind(cause) } or { kind = 'limit', dim = meter.dim }
    local instant = earliest(group, meter, now, need, floor, booked)
    if not instant then
      waits = waits or kind
    elseif instant > at then
      at, why = instant, kind
    end
    local cap, left = math.max(meter.cap, 1), room - need
    local sign = left < 0 and -1 or 1
    -- Parts per million in two steps, so that no product passes 2^53.
    local whole = div(left * sign, cap)
    local rest = (left * sign - whole * cap) * 1000
    local milli = div(rest, cap)
    headroom = math.min(headroom, sign * (whole * 1000000 + milli * 1000 + div((rest - milli * cap) * 1000, cap)))
  end
  if waits then
    return when_freed(group, waits)
  elseif at > now then
    return 'at', at, why
  end
  return 'now', headroom
end

-- Fit of a call, with the obstacle: 'now' with its headroom, 'at' with the instant, 'freed' with the latest instant
-- where one is known, or 'never' with the dimension.
local function fit_group(group, candidate, lease, interactive)
  local heeded = ahead_of(group, lease, interactive)
  local kind, value, why = fit_beside(group, candidate.estimate, candidate.floor, heeded, nil)
  -- A booking that is not renewed holds nobody back after its end.
  for _, lapsed in ipairs(heeded) do
    if kind == 'now' or kind == 'never' then
      break
    end
    local rest = {}
    for _, one in ipairs(heeded) do
      if one.till > lapsed.till then
        rest[#rest + 1] = one
      end
    end
    local another, instant, reason = fit_beside(group, candidate.estimate, candidate.floor, rest, lapsed)
    if another == 'at' and (kind == 'freed' or instant < value) then
      kind, value, why = another, instant, reason
    end
  end
  return kind, value, why
end

local function unbook(group, lease)
  for place, one in ipairs(group.bookings) do
    if one.lease == lease then
      table.remove(group.bookings, place)
      group.dirty = true
      return true
    end
  end
  return false
end

-- Books the amounts of a waiting call, or renews its booking in its place.
local function book(group, lease, interactive, candidate, at)
  local needs = {}
  for place, meter in ipairs(group.meters) do
    local need = need_of(meter, candidate.estimate)
    needs[place] = need + floor_of(meter, need, candidate.floor)
  end
  local booking = { lease = lease, interactive = interactive, needs = needs, at = at, till = now + BOOKING_LASTS }
  local place
  for number = #group.bookings, 1, -1 do
    local one = group.bookings[number]
    if one.till <= now and one.lease ~= lease then
      table.remove(group.bookings, number)
      place = place and place - 1
    elseif one.lease == lease then
      place = number
    end
  end
  if place and group.bookings[place].interactive == interactive then
    group.bookings[place] = booking
  else
    unbook(group, lease)
    place = #group.bookings + 1
    while interactive and place > 1 and not group.bookings[place - 1].interactive do
      place = place - 1
    end
    table.insert(group.bookings, place, booking)
  end
  group.dirty = true
end

-- True unless a call that was sent at `sent_at` was sent after the refusal that closed the group.
local function closure_is_newer(group, sent_at)
  return not sent_at or sent_at <= group.closed_at
end

-- Opens the group after a call that was sent at `sent_at` was accepted, if the closure is older.
local function accepted(group, sent_at)
  if group.closed and not closure_is_newer(group, sent_at) then
    group.closed, group.closed_at, group.closed_by = nil, nil, nil
  end
  if group.unexplained and sent_at and sent_at > group.unexplained + CALM then
    group.refusals = 0
  end
end

-- The refusal of a later call replaces an earlier one of the same class; else the longer closure stays.
local function close(group, signals, sent_at, till)
  if group.closed then
    local replaced = signals.class == group.closed_by and not closure_is_newer(group, sent_at) and signals.retry ~= NONE
    if till <= group.closed and not replaced then
      return
    end
  end
  group.closed, group.closed_at, group.closed_by = till, now, signals.class
end

local function is_rate(meter)
  return meter.kind == 'b' or meter.kind == 's'
end

local function window_length(meter)
  if is_rate(meter) then
    return meter.per
  end
  return meter.kind == 'd' and DAY or meter.kind == 'm' and 31 * DAY or math.huge
end

local LONGEST_RATE = 60000

-- The level as a limit of this window shows it; nil where it speaks about another limit (window.rs).
local function level_for(meter, level)
  local own = window_length(meter)
  if level.window == NONE or own == math.huge or own == level.window then
    return level
  elseif not is_rate(meter) or math.max(own, level.window) > LONGEST_RATE or level.window == 0 then
    return nil
  end
  local limit = level.limit
  if limit ~= NONE then
    local whole = div(limit, level.window)
    limit = math.max(1, whole * own + div((limit - whole * level.window) * own, level.window))
  end
  return { dim = level.dim, limit = limit, remaining = NONE, rounded = level.rounded, window = level.window }
end

-- Limit of a header, and the number by which its amount differs: the one of that amount (0), else the one of the
-- shortest window. A header that names its window speaks of that one, or of the rate of a shorter one.
local function meter_of(group, level)
  local shortest, named
  for _, meter in ipairs(group.meters) do
    named = named or (meter.dim == level.dim and level.window == window_length(meter))
  end
  for _, meter in ipairs(group.meters) do
    local speaks = level_for(meter, level) and (not named or level.window == NONE or level.window == window_length(meter))
    if meter.dim == level.dim and speaks then
      if level.limit ~= NONE
        and (level.limit == meter.amount or level.limit == meter.configured or level.limit == meter.base) then
        return meter, 0
      end
      if not shortest or window_length(meter) < window_length(shortest) then
        shortest = meter
      end
    end
  end
  if not shortest then
    return nil
  end
  local amount = math.max(shortest.base, 1)
  if level.limit == NONE then
    return shortest, amount
  end
  local shown = math.max(level.limit, 1)
  return shortest, div(math.max(shown, amount) * 1000, math.min(shown, amount))
end

local function scarcest(group)
  local found, least
  for _, meter in ipairs(group.meters) do
    if is_rate(meter) and meter.dim ~= 's' then
      local share = cut(meter_room(group, meter, now) * 1000, math.max(meter.cap, 1))
      if not least or share < least then
        found, least = meter, share
      end
    end
  end
  return found, least
end

local function empty(group, meter)
  set_room(group, meter, now, math.min(charged_room(group, meter, now), meter.held))
  learned_from(meter, 'refusal', now)
end

-- Notes a refusal that nothing explains; true if rates are to be lowered: on the second in a time, of a call that was
-- sent after the first was seen.
local function is_suspect(group, call)
  local last = group.unexplained
  if last and call.sent_at and call.sent_at <= last then
    return false
  end
  group.unexplained, group.refusals = now, (group.refusals or 0) + 1
  local lowered = last and now - last <= SUSPICION
  for _, meter in ipairs(group.meters) do
    lowered = lowered or meter.learned ~= nil
  end
  return lowered
end

-- Empties the limits that the headers show as too low for the call, else the scarcest one.
local function used_up(group, addressed, call, explained)
  local named, any = {}, false
  for _, one in ipairs(addressed.levels) do
    local level, part = level_for(one.meter, one.level), call.parts[one.meter]
    local left = level and level.remaining or NONE
    if left ~= NONE and (left == 0 or left < (part and part.aside or 0)) then
      named[one.meter], any = true, true
      if left == 0 then
        empty(group, one.meter)
      end
    end
  end
  if not any then
    local meter = scarcest(group)
    if meter then
      empty(group, meter)
    end
  end
  if not explained and is_suspect(group, call) then
    for _, meter in ipairs(group.meters) do
      if is_rate(meter) and meter.dim ~= 's' and (not any or named[meter]) then
        lower_rate(group, meter, now)
      end
    end
  end
end

local function next_period(group, kind)
  local offset = 0
  for _, meter in ipairs(group.meters) do
    if meter.kind == kind then
      offset = meter.per
      break
    end
  end
  local _, last = period(kind, offset, now)
  return last
end

local function money_comes_back(group, signals)
  if signals.retry ~= NONE then
    return now + signals.retry
  end
  for _, meter in ipairs(group.meters) do
    if meter.dim == 's' and is_rate(meter) then
      return now + SPEND_REST
    end
  end
  return next_period(group, 'm')
end

-- The names of GroupReaction in chorus-core; the caller looks the class up in the failure table.
local function react(group, signals, addressed, call, explained)
  local sent_at = call.sent_at
  local rest = now + (signals.retry ~= NONE and signals.retry or REST)
  if signals.reaction == 'close_bucket' then
    used_up(group, addressed, call, explained)
    if signals.retry == NONE then
      local again = math.max(0, (group.unexplained and group.refusals or 0) - 1)
      rest = now + REST * 2 ^ math.min(again, MOST_DOUBLINGS)
    end
    close(group, signals, sent_at, rest)
  elseif signals.reaction == 'halve_ramp' then
    local most = group.sent * 1000
    group.ramp = math.max(math.floor((group.ramp and math.min(group.ramp, most) or most) / 2), 1000)
    close(group, signals, sent_at, rest)
  elseif signals.reaction == 'lower_concurrency' then
    local lowered = math.max(math.max(group.sent - 1, 0), 1) * 1000
    if not group.ramp or ramp_cap(group) >= math.floor(lowered / 1000) then
      group.ramp = lowered
    end
  elseif signals.reaction == 'close_until_day' then
    close(group, signals, sent_at, next_period(group, 'd'))
  elseif signals.reaction == 'close_until_money' then
    close(group, signals, sent_at, money_comes_back(group, signals))
  end
end

-- `call` has the time at which the lease was sent, and its part of each meter.
local function observe_group(group, signals, addressed, call)
  if signals.class == NONE then
    accepted(group, call.sent_at)
  end
  local asked_at, explained = math.min(signals.sent_at, now), false
  if call.sent_at then
    asked_at = math.max(asked_at, call.sent_at)
  end
  for _, one in ipairs(addressed.levels) do
    local part, level = call.parts[one.meter], level_for(one.meter, one.level)
    if level then
      local held = part and part.mark and not part.charged_at and signals.reaction ~= 'nothing' and part.aside or 0
      explained = observe_level(group, one.meter, now, asked_at, part and part.mark, held, level) or explained
    end
  end
  if addressed.refused then
    react(group, signals, addressed, call, explained)
  end
  group.dirty = true
end

local function has_limit_of(group, reaction)
  for _, meter in ipairs(group.meters) do
    if (reaction == 'close_until_money' and meter.dim == 's') or (reaction == 'close_until_day' and meter.kind == 'd')
      or (reaction == 'lower_concurrency' and meter.dim == 'c') or reaction == 'nothing' or reaction == 'halve_ramp' then
      return true
    end
  end
  return false
end

-- The places among `known` of the groups that a refusal is about (addressed.rs).
local function refused(known, reaction, addressed)
  local found, best, least = {}, nil, nil
  for place, group in ipairs(known) do
    if reaction == 'close_bucket' then
      for _, one in ipairs(addressed[place].levels) do
        if one.level.remaining == 0 then
          found[place] = true
        end
      end
      local _, share = scarcest(group)
      if share and (not least or share < least) then
        best, least = place, share
      end
    elseif has_limit_of(group, reaction) then
      found[place] = true
    end
  end
  if next(found) then
    return found
  elseif best then
    return { [best] = true }
  end
  for place in ipairs(known) do
    found[place] = true
  end
  return found
end

-- What the signals say about each of these groups.
local function addressed_in(known, signals)
  local addressed = {}
  for place in ipairs(known) do
    addressed[place] = { levels = {} }
  end
  for _, level in ipairs(signals.levels) do
    local nearest, where, which
    for place, group in ipairs(known) do
      local meter, differs = meter_of(group, level)
      if meter and (not nearest or differs < nearest) then
        nearest, where, which = differs, place, meter
      end
    end
    if where then
      local levels = addressed[where].levels
      levels[#levels + 1] = { level = level, meter = which }
    end
  end
  for place in pairs(refused(known, signals.reaction, addressed)) do
    addressed[place].refused = true
  end
  return addressed
end

-- Raises a lowered cap after a call that ended well.
local function on_success(group)
  if group.ramp then
    local cap = ramp_cap(group)
    if group.flight * 2 >= cap then
      group.ramp = group.ramp + ceiling(1000, math.max(cap, 1))
    end
  end
end
