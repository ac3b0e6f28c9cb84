-- Operations (ledger.rs, memory.rs) with their answers.

local CHANNEL = prefix .. ':changed'
-- A process that reserved within this time counts as a member.
local MEMBER_LASTS = 30000

local lost = not life[2] or life[1] ~= server
local began = tonumber(life[3])

-- Level of a group (level.rs), as the caller reads it from JSON.
local function level_of(group)
  local limits, booked = {}, 0
  for place, meter in ipairs(group.meters) do
    local room = meter_room(group, meter, now)
    local full = tally_full_at(group, meter, now)
    limits[place] = {
      text = meter.text, amount = meter.amount, configured = meter.configured, cap = meter.cap, room = room, held = meter.held, full = full,
      source = meter.source, source_at = meter.source_at,
    }
  end
  for _, one in ipairs(group.bookings) do
    booked = booked + (one.till > now and 1 or 0)
  end
  local closed = group.closed and group.closed > now and { group.closed, group.closed_at, group.closed_by } or nil
  return { group = group.id, at = now, limits = limits, flight = group.flight, closed = closed, bookings = booked }
end

local function save()
  local out = {}
  for id in pairs(freed) do
    local group = load_group(id)
    out[#out + 1] = group and cjson.encode(level_of(group)) or cjson.encode({ group = id })
  end
  for id, group in pairs(groups) do
    if group and group.dirty then
      group.dirty = nil
      redis.call('HSET', GROUPS, id, cmsgpack.pack(group))
    end
  end
  for id, lease in pairs(leases) do
    if lease and lease.dirty then
      lease.dirty = nil
      if lease.life == 'o' then
        lease = { id = id, life = 'o', sent = lease.sent, till = lease.till, parts = {}, groups = {} }
      end
      redis.call('HSET', LEASES, id, cmsgpack.pack(lease))
    end
  end
  if #out > 0 then
    redis.call('PUBLISH', CHANNEL, table.concat(out, '\n'))
  end
end

-- Amount left of each limit of these groups.
local function rooms(ids)
  local out = {}
  for _, id in ipairs(ids) do
    local group, left = load_group(id), {}
    for place, meter in ipairs(group.meters) do
      left[place] = meter_room(group, meter, now)
    end
    out[#out + 1] = id
    out[#out + 1] = left
  end
  return out
end

local function count_members()
  redis.call('ZADD', MEMBERS, string.format('%.0f', now), args.member)
  redis.call('ZREMRANGEBYSCORE', MEMBERS, '-inf', string.format('(%.0f', now - MEMBER_LASTS))
  return redis.call('ZCARD', MEMBERS)
end

local function grant_of(lease)
  local charges = {}
  for _, part in ipairs(lease.parts) do
    charges[#charges + 1] = part.group
    charges[#charges + 1] = part.dim
    charges[#charges + 1] = part.aside
  end
  return { 'granted', args.members, lease.credential, lease.granted_at, lease.not_after, charges, {} }
end

-- Fit over all groups of a candidate, with the obstacle of the group that decides it.
local function fit(candidate)
  local kind, value, why = 'now', 9007199254740991, nil
  for _, id in ipairs(candidate.groups) do
    local one, what, obstacle = fit_group(groups[id], candidate, args.lease, args.interactive)
    local decides
    if kind == 'never' or one == 'never' then
      -- The first limit that it is larger than is the one to name.
      decides = kind ~= 'never'
    elseif kind == 'freed' or one == 'freed' then
      decides = kind ~= 'freed'
    elseif kind == 'at' and one == 'at' then
      decides = what > value
    elseif kind == 'now' and one == 'now' then
      decides = what < value
    else
      decides = one == 'at'
    end
    if decides then
      kind, value, why = one, what, obstacle
      if why then
        why.group = id
      end
    end
  end
  if why then
    why.credential, why.till = candidate.credential, value
  end
  return kind, value, why
end

-- Removes the bookings that the caller made for this lease, but for those on the groups in `kept`.
local function withdraw(kept)
  for _, id in ipairs(args.booked) do
    local group = not kept[id] and load_group(id)
    if group and unbook(group, args.lease) then
      freed[id] = true
    end
  end
end

local function grant(candidate)
  local charges = {}
  for _, id in ipairs(candidate.groups) do
    for _, meter in ipairs(groups[id].meters) do
      charges[#charges + 1] = { id, meter.dim, need_of(meter, candidate.estimate) }
    end
  end
  withdraw({})
  local reply = grant_of(insert(args.lease, candidate.credential, now, args.not_after, charges))
  reply[7] = rooms(candidate.groups)
  return reply
end

-- The obstacle as values of a reply: credential, group, kind, its detail, its time, and the time of its end.
local function obstacle_of(why)
  if not why then
    return {}
  end
  return { why.credential, why.group, why.kind, why.dim or why.class or '', why.since or '', why.till or '' }
end

local function refuse(never, soonest, why, candidate)
  if never then
    withdraw({})
    return { 'never', args.members, never }
  end
  local kept = {}
  for _, id in ipairs(args.books and candidate and candidate.groups or {}) do
    kept[id] = true
  end
  withdraw(kept)
  for id in pairs(kept) do
    book(groups[id], args.lease, args.interactive, candidate, soonest)
  end
  return { 'wait', args.members, soonest or '', obstacle_of(why), candidate and candidate.place or 0 }
end

local function reserve()
  args.members = count_members()
  local lease = load_lease(args.lease)
  if lease and is_live(lease) then
    return grant_of(lease)
  elseif lease and (lease.life == 'e' or lease.sent) then
    return { 'never', args.members, 'over' }
  elseif lease then
    forget(args.lease)
  end
  local ids = {}
  for _, group in ipairs(args.groups) do
    ids[#ids + 1] = group[1]
  end
  load_groups(ids)
  for _, group in ipairs(args.groups) do
    configure(group[1], group[2], began)
  end
  local best, rank, most, soonest, never, first, booked = nil, nil, nil, nil, 'none', nil, nil
  for place, candidate in ipairs(args.candidates) do
    candidate.place = place
    local kind, value, why = fit(candidate)
    if kind == 'now' and (not best or candidate.rank < rank or (candidate.rank == rank and value > most)) then
      best, rank, most = candidate, candidate.rank, value
    elseif kind == 'at' and (not soonest or value < soonest) then
      soonest, first, booked = value, why, candidate
    elseif kind == 'freed' and not booked then
      first, booked = why, candidate
    end
    if kind ~= 'never' then
      never = nil
    elseif never then
      never = value
    end
  end
  if best then
    return grant(best)
  end
  return refuse(never, soonest, first, booked)
end

local function wipe()
  for _, id in ipairs(redis.call('SMEMBERS', NAMES)) do
    local group = load_group(id)
    if group then
      for _, meter in ipairs(group.meters) do
        drop_lists(group, meter)
      end
    end
    redis.call('DEL', live_key(id))
  end
  redis.call('DEL', GROUPS, LEASES, DUE, NAMES)
  groups, leases = {}, {}
end

-- Sets the level of an unused meter to the one that past calls left: an amount, or charges of a sliding window.
local function set_past(group, meter, level)
  if type(level) == 'table' then
    for _, one in ipairs(level) do
      tally_charge(group, meter, one[1], one[2])
    end
  elseif level ~= NONE then
    set_room(group, meter, now, level)
  end
  if level ~= NONE then
    learned_from(meter, 'past', now)
  end
end

-- Begins a new life of the state: at the levels that past calls left where they are known, else at those that the
-- restoring process saw last, or empty.
local function begin_life()
  wipe()
  began, life[2], starts_empty = now, args.token, args.past == NONE
  redis.call('HSET', LIFE, 'server', server, 'token', args.token, 'began', string.format('%.0f', now))
  redis.call('HSET', LIFE, 'start', starts_empty and 'empty' or 'full')
  for _, past in ipairs(starts_empty and {} or args.past) do
    configure(past.group, past.config, began)
    for place, meter in ipairs(groups[past.group].meters) do
      set_past(groups[past.group], meter, past.levels[place])
    end
    groups[past.group].dirty = true
  end
  for _, mirror in ipairs(args.mirrors) do
    -- The limits of past calls are those of now; what was seen last may have other windows.
    if not load_group(mirror.group) then
      configure(mirror.group, mirror.config, began)
    end
    local group = groups[mirror.group]
    for place, meter in ipairs(starts_empty and group.meters or {}) do
      set_room(group, meter, now, mirror.rooms[place])
    end
    if mirror.closed ~= NONE then
      group.closed, group.closed_at, group.closed_by = mirror.closed[1], mirror.closed[2], mirror.closed[3]
    end
  end
end

local function put_back(held)
  for _, group in ipairs(held.groups) do
    configure(group[1], group[2], began)
  end
  local lease = insert(held.lease, held.credential, held.granted_at, held.not_after, held.charges)
  if held.sent_until ~= NONE then
    if held.holder ~= NONE then
      lease.holder = held.holder
    end
    now_sent(lease, held.sent_until)
    if held.dead then
      process_ended(lease)
    end
  end
  return lease
end

local function restore()
  for _, held in ipairs(args.leases) do
    if not load_lease(held.lease) then
      put_back(held)
    end
  end
  expire()
  return { 'ok', life[2], count_members() }
end

-- Applies the operations of a process that could not reach the server: leases that it granted, sent or ended.
local function merge()
  for _, held in ipairs(args.leases) do
    local lease = load_lease(held.lease)
    if held.charges ~= NONE and (not lease or (lease.life == 'o' and not lease.sent and held.sent_until ~= NONE)) then
      if lease then
        forget(held.lease)
      end
      lease = put_back(held)
    elseif lease and lease.life == 'r' and held.sent_until ~= NONE then
      lease.holder = held.holder ~= NONE and held.holder or nil
      now_sent(lease, held.sent_until)
    end
    if held.signals ~= NONE then
      observe_lease(lease, held.signals)
    end
    if lease and held.ending ~= NONE then
      finish(lease, held.ending)
    end
  end
  expire()
  return { 'ok' }
end

local function observe()
  local lease, ids, closed = load_lease(args.lease), {}, {}
  for _, id in ipairs(observe_lease(lease, args.signals)) do
    ids[#ids + 1] = id
    closed[#closed + 1] = id
    local group = groups[id]
    closed[#closed + 1] = group.closed and { group.closed, group.closed_at, group.closed_by } or ''
  end
  return { 'ok', rooms(ids), closed }
end

-- Level with which a group would begin; nothing of it is kept.
local function fresh_level(id, config)
  local group = new_group(id)
  for place, text in ipairs(split(config, ';')) do
    group.meters[place] = begin(group, text, starts_empty and began or now, starts_empty)
  end
  local level = level_of(group)
  for _, meter in ipairs(group.meters) do
    drop_lists(group, meter)
  end
  return level
end

-- Levels of some groups, or of all with the number of leases that hold a slot or an amount.
local function levels()
  local out, live = {}, 0
  if args.groups ~= NONE then
    for place, one in ipairs(args.groups) do
      local group = load_group(one[1])
      out[place] = cjson.encode(group and level_of(group) or fresh_level(one[1], one[2]))
    end
    return { 'ok', out, live }
  end
  for _, id in ipairs(redis.call('HKEYS', GROUPS)) do
    out[#out + 1] = cjson.encode(level_of(load_group(id)))
  end
  for _, id in ipairs(redis.call('HKEYS', LEASES)) do
    if is_live(load_lease(id)) then
      live = live + 1
    end
  end
  return { 'ok', out, live }
end

local operations = {
  reserve = reserve,
  restore = restore,
  merge = merge,
  observe = observe,
  intact = function()
    return { 'ok' }
  end,
  levels = levels,
  withdraw = function()
    withdraw({})
    return { 'ok' }
  end,
  send = function()
    local lease = load_lease(args.lease)
    return { lease and mark_sent(lease, args.holder, args.deadline) and 'sent' or 'gone' }
  end,
  ['end'] = function()
    local lease = load_lease(args.lease)
    if lease then
      finish(lease, args.ending)
    end
    return { 'ok' }
  end,
  open = function()
    local group = load_group(args.group)
    if group then
      group.closed, group.closed_at, group.closed_by = nil, nil, nil
      group.dirty, freed[args.group] = true, true
    end
    return { 'ok' }
  end,
}

if operation == 'restore' and lost then
  begin_life()
elseif lost or (args.token and args.token ~= NONE and args.token ~= life[2] and operation == 'reserve') then
  return { 'lost' }
end
local reply = { 'more' }
if expire() then
  reply = operations[operation]()
end
save()
return reply
