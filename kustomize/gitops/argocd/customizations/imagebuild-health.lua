-- SPDX-License-Identifier: Apache-2.0
-- Health of an ImageBuild: it progresses until it has finished. Failed and cancelled builds are degraded.
local finished, succeeded, failure = false, false, nil
if obj.status ~= nil then
  failure = obj.status.failure
  for _, condition in ipairs(obj.status.conditions or {}) do
    if condition.type == "Finished" then
      finished = condition.status == "True"
    elseif condition.type == "Succeeded" then
      succeeded = condition.status == "True"
    end
  end
end

if not finished then
  local phase = "Pending"
  if obj.status ~= nil and obj.status.phase ~= nil then
    phase = obj.status.phase
  end
  return {status = "Progressing", message = phase}
end
if succeeded then
  return {status = "Healthy", message = "Succeeded"}
end
if failure == nil then
  return {status = "Degraded", message = obj.status.phase}
end
if failure.message == nil or failure.message == "" then
  return {status = "Degraded", message = failure.reason}
end
return {status = "Degraded", message = failure.reason .. ": " .. failure.message}
