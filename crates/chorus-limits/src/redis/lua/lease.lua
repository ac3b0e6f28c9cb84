-- The life of leases (lease.rs, ending.rs): reserved, sent, aborted, expired, over.

local function load_lease(id)
  return load(leases, LEASES, id)
end

local function is_live(lease)
  return lease.life == 'r' or lease.life == 's' or lease.life == 'a'
end

local function live_on(lease, life, till)
  lease.life, lease.till, lease.dirty = life, till, true
  redis.call('ZADD', DUE, string.format('%.0f', till), lease.id)
end

local function forget(id)
  redis.call('ZREM', DUE, id)
  redis.call('HDEL', LEASES, id)
  leases[id] = false
end

local function part_meter(part)
  local group = load_group(part.group)
  if group then
    return group, nth_meter(group.meters, part.dim, part.nth)
  end
end

-- Sets the lease's charge on each limit to `used`; nil leaves a limit as it is.
local function settle(lease, at, used)
  for _, part in ipairs(lease.parts) do
    local group, meter = part_meter(part)
    local amount = meter and part.dim ~= 'c' and used(meter, part)
    if amount then
      if part.charged_at then
        correct(group, meter, at, part, amount - part.charged)
      else
        if part.mark then
          ended(meter, part.aside)
        end
        charge(group, meter, at, part.aside, amount)
        part.charged_at = at
      end
      part.charged, group.dirty, lease.dirty = amount, true, true
    end
  end
end

local function charge_sent(lease, at)
  settle(lease, at, function(meter, part)
    return not part.charged_at and charged_when_sent(meter) and part.aside or nil
  end)
  for _, part in ipairs(lease.parts) do
    local group, meter = part_meter(part)
    if meter and not part.mark and (not part.charged_at or part.charged_at == at) then
      part.mark = sent(group, meter, at, part.aside)
      group.dirty, lease.dirty = true, true
    end
  end
end

-- Frees the lease's slots and moves it to another state.
local function free(lease, at, life, till)
  local was_sent = lease.life ~= 'r'
  live_on(lease, life, till)
  for _, part in ipairs(lease.parts) do
    if part.dim == 'c' and not part.charged_at then
      part.charged_at, part.charged = at, 0
      local group, meter = part_meter(part)
      if meter then
        meter.held, group.dirty = meter.held - part.aside, true
      end
    end
  end
  for _, id in ipairs(lease.groups) do
    local group = load_group(id)
    if group then
      group.flight, group.dirty = math.max(0, group.flight - 1), true
      group.sent = math.max(0, group.sent - (was_sent and 1 or 0))
      group.dead[lease.id] = nil
    end
    redis.call('SREM', live_key(id), lease.id)
    freed[id] = true
  end
end

local function over(lease, at, sent)
  lease.sent = sent
  free(lease, at, 'o', at + REMEMBERED)
end

local function give_back(lease, at)
  settle(lease, at, function() return 0 end)
  over(lease, at, false)
end

-- Expires a sent lease: frees its slot and charges the reserved amounts.
local function lapse(lease, at)
  settle(lease, at, function(_, part) return not part.charged_at and part.aside or nil end)
  for _, part in ipairs(lease.parts) do
    part.mark = nil
  end
  free(lease, at, 'e', at + REMEMBERED)
end

-- Expires leases; returns false when more are due than one run may change.
local function expire()
  local done = 0
  while true do
    local due = redis.call('ZRANGE', DUE, '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, 50, 'WITHSCORES')
    if #due == 0 then
      return true
    elseif done >= MOST_DUE then
      return false
    end
    for place = 1, #due, 2 do
      local lease, at = load_lease(due[place]), tonumber(due[place + 1])
      if lease and lease.life == 'r' then
        give_back(lease, at)
      elseif lease and (lease.life == 's' or lease.life == 'a') then
        lapse(lease, at)
      else
        forget(due[place])
      end
      done = done + 1
    end
  end
end

-- Adds a reserved lease and holds its amounts: charges are {group, dimension, amount}.
local function insert(id, credential, granted_at, not_after, charges)
  local lease = { id = id, credential = credential, granted_at = granted_at, not_after = not_after, parts = {}, groups = {} }
  local seen, known = {}, {}
  for _, one in ipairs(charges) do
    local place = one[1] .. '\n' .. one[2]
    local nth = seen[place] or 0
    seen[place] = nth + 1
    local part = { group = one[1], dim = one[2], nth = nth, aside = one[3] }
    lease.parts[#lease.parts + 1] = part
    local group, meter = part_meter(part)
    if meter then
      hold(meter, part.aside)
    end
    if not known[part.group] then
      known[part.group] = true
      lease.groups[#lease.groups + 1] = part.group
      redis.call('SADD', live_key(part.group), id)
      redis.call('SADD', NAMES, part.group)
      if group then
        group.flight, group.dirty = group.flight + 1, true
      end
    end
  end
  leases[id] = lease
  live_on(lease, 'r', not_after + 1)
  return lease
end

-- Counts again what live leases hold of a group whose limits are new, or that was unknown when its leases were
-- restored.
local function hold_again(group)
  for _, meter in ipairs(group.meters) do
    meter.held, meter.running = 0, 0
  end
  group.flight, group.sent, group.dead = 0, 0, {}
  local live, sent = redis.call('SMEMBERS', live_key(group.id)), {}
  table.sort(live, is_before)
  for _, id in ipairs(live) do
    local lease = load_lease(id)
    group.flight = group.flight + 1
    if lease.life ~= 'r' then
      sent[#sent + 1] = lease
      group.sent = group.sent + 1
    end
    if lease.dead then
      group.dead[id] = lease.till
    end
    for _, part in ipairs(lease.parts) do
      if part.group == group.id then
        part.mark, lease.dirty = nil, true
      end
      local meter = part.group == group.id and not part.charged_at and nth_meter(group.meters, part.dim, part.nth)
      if meter then
        hold(meter, part.aside)
      end
    end
  end
  for _, lease in ipairs(sent) do
    charge_sent(lease, now)
  end
end

local function configure(id, config, began)
  if configure_group(id, config, now, began) then
    hold_again(groups[id])
  end
end

-- Counts a lease among the sent ones of its groups.
local function counts_as_sent(lease)
  for _, id in ipairs(lease.groups) do
    local group = load_group(id)
    if group then
      group.sent, group.dirty = group.sent + 1, true
    end
  end
end

-- Marks a reserved lease as sent, and charges what providers charge when a call starts.
local function now_sent(lease, deadline)
  live_on(lease, 's', deadline)
  lease.sent_at = now
  counts_as_sent(lease)
  charge_sent(lease, now)
end

-- Notes that the process of a sent lease has ended.
local function process_ended(lease)
  lease.dead, lease.dirty = true, true
  for _, id in ipairs(lease.groups) do
    local group = load_group(id)
    if group then
      group.dead[lease.id], group.dirty = lease.till, true
    end
  end
end

local function mark_sent(lease, holder, deadline)
  if lease.life == 's' and lease.holder == holder then
    return true
  elseif lease.life == 's' and not lease.holder then
    lease.holder, lease.dirty = holder, true
    return true
  elseif lease.life ~= 'r' or deadline <= now then
    return false
  end
  lease.holder = holder
  now_sent(lease, deadline)
  return true
end

local function settle_late(lease, ending)
  settle(lease, now, function(meter) return charged_for(meter, ending.usage, ending.cost) end)
  for _, id in ipairs(lease.groups) do
    freed[id] = true
  end
end

-- Corrects every group that a live or expired lease draws on; returns their ids.
local function observe_lease(lease, signals)
  local seen, known = {}, {}
  if lease and lease.life ~= 'o' then
    local ids = { unpack(lease.groups) }
    table.sort(ids, is_before)
    for _, id in ipairs(ids) do
      local group = load_group(id)
      if group then
        known[#known + 1] = group
        freed[id], seen[#seen + 1] = true, id
      end
    end
    local addressed = addressed_in(known, signals)
    for place, group in ipairs(known) do
      local call = { sent_at = lease.sent_at, parts = {} }
      for _, part in ipairs(lease.parts) do
        local meter = part.group == group.id and nth_meter(group.meters, part.dim, part.nth)
        if meter then
          call.parts[meter] = part
        end
      end
      observe_group(group, signals, addressed[place], call)
    end
  end
  return seen
end

-- Ends a lease, in one of the ways of `End`.
local function finish(lease, ending)
  local life, how = lease.life, ending.how
  local begun = life == 'r' or life == 's'
  if how == 'unused' and life == 'r' then
    give_back(lease, now)
  elseif how == 'used' and begun then
    settle(lease, now, function(meter) return charged_for(meter, ending.usage, ending.cost) end)
    if life ~= 'r' then
      for _, id in ipairs(lease.groups) do
        local group = load_group(id)
        if group then
          accepted(group, lease.sent_at)
          on_success(group)
          group.dirty = true
        end
      end
    end
    over(lease, now, true)
  elseif how == 'used' and life == 'e' then
    settle_late(lease, ending)
    lease.sent = true
    live_on(lease, 'o', now + REMEMBERED)
  elseif how == 'used' and life == 'a' then
    settle_late(lease, ending)
  elseif how == 'aborted' and begun then
    settle(lease, now, function(meter, part) return math.max(part.aside, charged_for(meter, ending.usage, 0)) end)
    if life == 'r' then
      counts_as_sent(lease)
    end
    live_on(lease, 'a', now + ending.grace)
  elseif how == 'lost' and life == 'r' then
    give_back(lease, now)
  elseif how == 'lost' and life == 's' then
    settle(lease, now, function(_, part) return not part.charged_at and part.aside or nil end)
    live_on(lease, 'a', math.min(lease.till, now + ending.grace))
    process_ended(lease)
  elseif how == 'refused' and (begun or life == 'a') then
    settle(lease, now, function(meter) return meter.dim == 'q' and ending.counts or 0 end)
    over(lease, now, true)
  end
end
