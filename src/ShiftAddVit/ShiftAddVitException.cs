namespace ShiftAddVit;

/// <summary>
/// An input that cannot be used. <see cref="Exception.Message"/> is one line that names the file or option, says what is wrong and
/// what is allowed; it is written to be shown to a user as it stands.
/// </summary>
public sealed class ShiftAddVitException : Exception
{
    /// <summary>Creates the error with its one-line message.</summary>
    public ShiftAddVitException(string message) : base(message) { }

    /// <summary>Creates the error with its one-line message and the failure behind it.</summary>
    public ShiftAddVitException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>Creates an empty error.</summary>
    public ShiftAddVitException() { }
}
