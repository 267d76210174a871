/**
 * The built-in `default` user, serial 1: it stands for callers without credentials, and its grants are the floor of everybody's rights.
 * The native subject `everyone` is this user.
 */
const everyoneId = '00000000-0000-7000-8000-000000000001'
const everyoneName = 'default'

/** The resource that system permissions (making users, repositories, groups …) are granted on, as extras. */
const systemResourceId = '00000000-0000-7000-8000-000000000002'

/** The actor of what the server does on its own: schedules, recovery, janitors. It is no row and cannot sign in. */
const systemActorId = '00000000-0000-7000-8000-000000000003'

/** The built-in group of the users whose role is `analyst`. */
const analystGroupId = '00000000-0000-7000-8000-000000000004'

export { analystGroupId, everyoneId, everyoneName, systemResourceId, systemActorId }
