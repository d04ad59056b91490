-- SPDX-License-Identifier: Apache-2.0
-- Health of an Image, from the conditions of kstatus: Reconciling, Stalled and Ready. An Image is healthy if an artifact of its
-- present inputs exists.
local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local function is(kind, status)
  return conditions[kind] ~= nil and conditions[kind].status == status
end

local function health(status, kind)
  local condition = conditions[kind]
  if condition == nil then
    return {status = status, message = "The controller has not observed the image yet"}
  end
  if condition.message == nil or condition.message == "" then
    return {status = status, message = condition.reason}
  end
  return {status = status, message = condition.reason .. ": " .. condition.message}
end

if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The controller has not observed the present spec yet"}
end
if is("Reconciling", "True") then
  -- Argo CD waits for suspended objects of a sync wave as for progressing ones. That is right here: there is no artifact.
  if conditions["Reconciling"].reason == "Suspended" then
    return health("Suspended", "Reconciling")
  end
  return health("Progressing", "Reconciling")
end
if is("Stalled", "True") then
  return health("Degraded", "Stalled")
end
if is("Ready", "True") then
  -- A suspended Image with an artifact of its present inputs is healthy, so that it holds up no sync wave.
  return health("Healthy", "Ready")
end
return health("Progressing", "Ready")
