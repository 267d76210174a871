/**
 * The kind of runs that are pieces of another: a round of a loop with `parallel` is a run of its own, whose graph is the loop's body. Nobody else sees it as
 * that, and lists show it only to who asks for this kind. The steps of a job are shown, named by templates and run again as if their rounds had been rows of the
 * job itself: a row `x` of the round with index 6 of the loop `L` has the key `L/7/x` there.
 */
const roundKind = 'round'

export { roundKind }
