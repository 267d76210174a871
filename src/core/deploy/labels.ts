/** What a task is labelled by. */
type Labelled = { readonly labels: Readonly<Record<string, string>>; readonly pipeline_id?: string | null; readonly cronjob?: string | null }

/** The labels of whatever a task became, in every runtime and list: those of its manifest, and whose it is (Deploy API §13). */
function objectLabels(task: string, { labels, pipeline_id: pipeline = null, cronjob = null }: Labelled): Record<string, string> {
  return {
    ...labels,
    'deploy-api/managed': 'true',
    'deploy-api/task-id': task,
    ...(pipeline !== null && { 'deploy-api/pipeline-id': pipeline }),
    ...(cronjob !== null && { 'deploy-api/cronjob': cronjob }),
  }
}

export { objectLabels }
