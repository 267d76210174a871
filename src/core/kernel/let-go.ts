/**
 * The reason of a signal by which somebody goes away who only waited: what can go on without them is not ended for that, and is found again by who comes
 * after them. Every other reason calls the work itself off.
 */
class LetGo extends Error {
  override readonly name = 'LetGo'
}

export { LetGo }
