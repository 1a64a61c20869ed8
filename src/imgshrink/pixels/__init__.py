"""libvips: decoding what strangers made, and comparing it as a viewer sees it. Importing this package loads libvips."""
