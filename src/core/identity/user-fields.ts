import { Nullable, Type } from '../kernel/schema.ts'

/** Members that several operations about users take. What may stand in them is checked by the rules of `names.ts`. */
const Name = Type.String({
  minLength: 1,
  maxLength: 200,
  description: 'Unique among all users, whatever the case. A name with an @ is the e-mail address as well.',
})
const Email = Nullable(Type.String({ maxLength: 320 }))
const Password = Nullable(Type.String({ maxLength: 1024, description: 'At least 8 characters. Without one the user signs in with API keys only.' }))
const PersonName = Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]*$' })
const UserReference = Type.String({ minLength: 1, maxLength: 400, description: 'Name, e-mail address, id, or `user:…`.' })

const administrativeMembers = {
  administrator: Type.Optional(Type.Boolean()),
  organisation: Type.Optional(Type.String({ maxLength: 500, description: 'A group of repositories; empty for none.' })),
  service: Type.Optional(Type.Boolean({ description: 'A service user: signs in with API keys only.' })),
}

export { Name, Email, Password, PersonName, UserReference, administrativeMembers }
