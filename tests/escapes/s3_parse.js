// E-S3: JSON nested 200,000 deep
// expect: guest | limit stack | limit fuel
JSON.parse("[".repeat(2e5) + "]".repeat(2e5));
