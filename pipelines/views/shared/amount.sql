SAFE_CAST({of}_whole + TRUNC({of}_rest) AS BIGNUMERIC(38, 18)) + ({of}_rest - TRUNC({of}_rest))
