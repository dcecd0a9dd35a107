"use strict";

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
