"use strict";

// The viewer has dark colours, and shows them to those who click; here they follow the system.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  dom_id: "#api",
  url: "/openapi.json",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "list",
  tryItOutEnabled: true,
  // The description is never sent to a validator elsewhere, and the token is forgotten on leaving.
  validatorUrl: null,
  persistAuthorization: false,
});
