namespace ShiftAddVit.Cli;

/// <summary>Options that do not go together; the message names them and says what is allowed.</summary>
sealed class UsageException(string message) : Exception(message);
