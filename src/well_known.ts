// The one table of servers that people ask for by name before they have configured them. What a
// name stands for is shown to be typed, never used by itself.

const SERVERS: Readonly<Record<string, string>> = {
  "chrome-devtools": "-- npx -y chrome-devtools-mcp@latest",
  context7: "https://mcp.context7.com/mcp",
  deepwiki: "https://mcp.deepwiki.com/mcp",
  everything: "-- npx -y @modelcontextprotocol/server-everything",
  fetch: "-- uvx mcp-server-fetch",
  figma: "https://mcp.figma.com/mcp",
  filesystem: "-- npx -y @modelcontextprotocol/server-filesystem .",
  git: "-- uvx mcp-server-git --repository .",
  github: "https://api.githubcopilot.com/mcp/ --header 'Authorization: Bearer ${GITHUB_TOKEN}'",
  huggingface: "https://huggingface.co/mcp",
  linear: "https://mcp.linear.app/mcp",
  memory: "-- npx -y @modelcontextprotocol/server-memory",
  "microsoft-learn": "https://learn.microsoft.com/api/mcp",
  notion: "https://mcp.notion.com/mcp",
  playwright: "-- npx -y @playwright/mcp@latest",
  sentry: "https://mcp.sentry.dev/mcp",
  "sequential-thinking": "-- npx -y @modelcontextprotocol/server-sequential-thinking",
  stripe: "https://mcp.stripe.com",
  supabase: "https://mcp.supabase.com/mcp",
  time: "-- uvx mcp-server-time",
  vercel: "https://mcp.vercel.com",
};

/** The command that configures a well-known server; undefined for a name that stands for none. */
export function addCommand(name: string): string | undefined {
  const known = name.toLowerCase();
  return Object.hasOwn(SERVERS, known)
    ? `mcp-exec server add ${known} ${SERVERS[known]}`
    : undefined;
}
