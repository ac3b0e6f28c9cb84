-- Operations (ledger.rs, memory.rs) with their answers.

local CHANNEL = prefix .. ':changed'
-- A process that reserved within this time counts as a member.
local MEMBER_LASTS = 30000

local life = redis.call('HMGET', LIFE, 'server', 'token', 'began')
local lost = not life[2] or life[1] ~= server
local began = tonumber(life[3])

local function save()
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
  local out = {}
  for id in pairs(freed) do
    out[#out + 1] = id
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

local function fit(candidate)
  local kind, value = 'now', 9007199254740991
  for _, id in ipairs(candidate.groups) do
    local one, what = fit_group(groups[id], candidate.estimate, candidate.floor, args.interactive)
    if kind == 'never' then
      -- The first limit that it is larger than is the one to name.
    elseif one == 'never' then
      kind, value = one, what
    elseif kind == 'freed' or one == 'freed' then
      kind, value = 'freed', nil
    elseif kind == 'at' and one == 'at' then
      value = math.max(value, what)
    elseif one == 'at' then
      kind, value = one, what
    elseif kind == 'now' then
      value = math.min(value, what)
    end
  end
  return kind, value
end

local function each_group(act)
  for _, candidate in ipairs(args.candidates) do
    for _, id in ipairs(candidate.groups) do
      act(groups[id])
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
  if args.interactive then
    each_group(function(group)
      if group.waiting[args.lease] then
        group.waiting[args.lease], group.dirty, freed[group.id] = nil, true, true
      end
    end)
  end
  local reply = grant_of(insert(args.lease, candidate.credential, now, args.not_after, charges))
  reply[7] = rooms(candidate.groups)
  return reply
end

local function refuse(never, soonest)
  if never then
    return { 'never', args.members, never }
  end
  if args.interactive then
    each_group(function(group) group.waiting[args.lease], group.dirty = now + FLAG, true end)
  end
  return { 'wait', args.members, soonest or '' }
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
  local best, rank, most, soonest, never = nil, nil, nil, nil, 'none'
  for _, candidate in ipairs(args.candidates) do
    local kind, value = fit(candidate)
    if kind == 'now' and (not best or candidate.rank < rank or (candidate.rank == rank and value > most)) then
      best, rank, most = candidate, candidate.rank, value
    elseif kind == 'at' then
      soonest = math.min(soonest or value, value)
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
  return refuse(never, soonest)
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

-- Begins a new life of the state: rates start at the levels that the restoring process saw last, or empty.
local function begin_life()
  wipe()
  began, life[2] = now, args.token
  redis.call('HSET', LIFE, 'server', server, 'token', args.token, 'began', string.format('%.0f', now))
  for _, mirror in ipairs(args.mirrors) do
    configure(mirror.group, mirror.config, began)
    local group = groups[mirror.group]
    for place, meter in ipairs(group.meters) do
      set_room(group, meter, now, mirror.rooms[place])
      meter.lowest = tally_room(meter)
    end
    if mirror.closed ~= NONE then
      group.closed = mirror.closed
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
    live_on(lease, 's', held.sent_until)
    charge_sent(lease, now)
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
      live_on(lease, 's', held.sent_until)
      charge_sent(lease, now)
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
    closed[#closed + 1] = groups[id].closed or ''
  end
  return { 'ok', rooms(ids), closed }
end

-- All limits, and the number of leases that hold a slot or an amount.
local function levels()
  local ids, out, live = redis.call('HKEYS', GROUPS), {}, 0
  table.sort(ids)
  for _, id in ipairs(ids) do
    local group = load_group(id)
    for _, meter in ipairs(group.meters) do
      local closed = group.closed and group.closed > now and group.closed or ''
      out[#out + 1] = { id, meter.text, meter_room(group, meter, now), meter.cap, meter.held, meter.lowest, closed }
    end
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
  send = function()
    local lease = load_lease(args.lease)
    return { lease and send(lease, args.holder, args.deadline) and 'sent' or 'gone' }
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
      group.closed, group.dirty, freed[args.group] = nil, true, true
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
